package node

// Decode, DecodeChain and ErrReverted are for the fuzz targets.
var (
	Decode      = decode
	DecodeChain = decodeChain
	ErrReverted = errReverted
)
