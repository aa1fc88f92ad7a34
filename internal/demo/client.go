package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// client is a user of the API.
type client struct {
	url, key string
	http     http.Client
}

// call makes one call and decodes its answer. What the API refuses is an error with what it said.
func (c *client) call(ctx context.Context, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-API-Key", c.key)
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s answered %d: %s", method, path, res.StatusCode, got)
	}
	if err := json.Unmarshal(got, answer); err != nil {
		return fmt.Errorf("%s %s answered %.200q: %w", method, path, got, err)
	}
	return nil
}

func (c *client) post(ctx context.Context, path string, body, answer any) error {
	return c.call(ctx, http.MethodPost, path, body, answer)
}

// object is a JSON object.
type object map[string]any

// order is what the story needs of an order.
type order struct {
	OrderID     string      `json:"orderId"`
	OrderNumber string      `json:"orderNumber"`
	Section     string      `json:"section"`
	Row         string      `json:"row"`
	Seats       []string    `json:"seats"`
	TotalAmount json.Number `json:"totalAmount"`
	Currency    string      `json:"currency"`
}

// place places an order, as a box office would for the person at its window.
func (c *client) place(ctx context.Context, o object) (order, error) {
	var answer struct{ Order order }
	err := c.post(ctx, "/api/v1/orders", o, &answer)
	return answer.Order, err
}

// move gives an order another status.
func (c *client) move(ctx context.Context, orderID, status string) error {
	var answer struct{ Order order }
	return c.call(ctx, http.MethodPatch, "/api/v1/orders", object{"orderId": orderID, "status": status}, &answer)
}
