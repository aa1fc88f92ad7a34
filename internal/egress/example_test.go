package egress_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/egress"
)

// A delivery: the URL is checked when the endpoint is created, and its Target kept and used for every attempt.
func Example() {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		http.Error(w, "not now", http.StatusServiceUnavailable)
	}))
	defer receiver.Close()

	policy := egress.NewPolicy(egress.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	client := egress.NewClient(policy, egress.Options{})
	defer client.Close()

	ctx := context.Background()
	target, err := policy.CheckURL(ctx, receiver.URL+"/hook#top")
	if err != nil {
		fmt.Println(err)
		return
	}
	out := client.Do(ctx, &egress.Request{
		Target:  target,
		Header:  egress.Header{{Name: "Content-Type", Value: "application/json"}},
		Body:    []byte(`{"event":"order.accepted"}`),
		Timeout: 10 * time.Second,
		PoolKey: "wh_1",
	})
	wait, _ := egress.RetryAfter(out.Header, time.Now())
	fmt.Printf("%d %q, wait %v\n", out.Status, out.Body, wait)
	// Output: 503 "not now\n", wait 2m0s
}

func ExamplePolicy_CheckURL() {
	policy := egress.NewPolicy(egress.Config{})
	for _, url := range []string{"http://127.1/", "https://localhost/", "https://[::ffff:10.0.0.1]/", "https://user@93.184.216.34/"} {
		_, err := policy.CheckURL(context.Background(), url)
		fmt.Println(err)
	}
	// Output:
	// The host looks like an IPv4 address in an unusual spelling. Write four decimal numbers without leading zeros, such as 198.51.100.7.
	// This host name is one of a private network. Use a public name, or ask the operator to open the host's network with --allow-target.
	// This host's address is not open: private, local and reserved networks are closed. Use a host with public addresses only, or ask the operator to open the network with --allow-target.
	// The URL contains user information (an @ before the path). Leave it out and send credentials in an Authorization header.
}
