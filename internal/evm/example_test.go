package evm_test

import (
	"encoding/hex"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/evm"
)

func ExampleParseAddress() {
	a, err := evm.ParseAddress("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")
	fmt.Println(a, err)
	_, err = evm.ParseAddress("0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
	fmt.Println(err)
	// Output:
	// 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed <nil>
	// The checksum of the address is wrong: its letters are not in the case that EIP-55 asks for. Look for a typing error, or write the address in lower case.
}

// The signature is the example of web3.js.
func ExampleRecover() {
	signature, err := evm.ParseSignature("0xb91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd" +
		"6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(evm.Recover("Some data", signature))
	// Output: 0x2c7536E3605D9C16a7a3D7b1898e529396a65c23 <nil>
}

func ExampleKey_Sign() {
	secret, _ := hex.DecodeString("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
	key, err := evm.NewKey(secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(key.Sign("Some data"))
	// Output: 0xb91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c
}
