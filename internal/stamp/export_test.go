package stamp

// CheckArt is for a fuzz target.
var CheckArt = checkArt
