package provider_test

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/provider"
)

func ExampleScheme_Check() {
	s := provider.Scheme{Provider: "github", HMAC: provider.HMAC{Secret: "It's a Secret to Everybody"}}
	r := provider.Request{
		Header: http.Header{"X-Hub-Signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}},
		Body:   []byte("Hello, World!"),
	}
	fmt.Println(s.Check(r, time.Now()))

	r.Header.Del("X-Hub-Signature-256")
	var refusal *provider.Refusal
	if err := s.Check(r, time.Now()); errors.As(err, &refusal) {
		fmt.Println(refusal.Reason)
		fmt.Println(refusal.Detail)
	}
	// Output:
	// <nil>
	// hmac_failed
	// the header X-Hub-Signature-256 is missing
}

func ExampleScheme_Validate() {
	s := provider.Scheme{HMAC: provider.HMAC{Header: "X-Signature", TTL: time.Minute}}
	fmt.Println(s.Validate(provider.Verify{HMAC: true}))
	// Output:
	// The request is not valid; see errors. (/timestamp_header_name: Say in which header the timestamp stands that timestamp_ttl_seconds is about.) (/hmac_secret: Give the secret that the sender signs with.)
}

func ExampleScheme_Challenge() {
	s := provider.Scheme{Provider: "twitter", HMAC: provider.HMAC{Secret: "consumer secret"}}
	answer, ok := s.Challenge(http.MethodGet, provider.Request{RawQuery: "crc_token=9b4507b3"})
	fmt.Println(ok, answer.Status, answer.ContentType)
	fmt.Printf("%s\n", answer.Body)
	// Output:
	// true 200 application/json
	// {"response_token":"sha256=YHVJW0X+bF5ZEA+9zs/JpLUo6NufnnNPHey0rtF/Upc="}
}

func ExampleEventType_Of() {
	e := provider.EventType{Source: "body", Path: "$.data[0].type"}
	fmt.Println(e.Of(nil, []byte(`{"data":[{"type":"order.created"}]}`)))
	// Output: order.created true
}

func ExampleDefaults() {
	event, dedup := provider.Defaults("github")
	fmt.Println(event.Source, event.Path, dedup)
	// Output: header X-GitHub-Event [X-GitHub-Delivery]
}
