package kube

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// retry is how long a watch that broke off waits.
const retry = 300 * time.Millisecond

// Watch calls seen with every object of a kind that exists and whenever one changes, until the context ends. It
// survives a server that goes away, and a kind that does not exist yet. A deletion is reported unless it happens while
// the watch is broken off.
func (c *Client) Watch(ctx context.Context, apiVersion, kind string, seen func(o Object, deleted bool)) {
	for ctx.Err() == nil {
		items, version, err := c.list(ctx, apiVersion, kind, "", "")
		if err == nil {
			for _, item := range items {
				seen(item, false)
			}
			c.follow(ctx, apiVersion, kind, version, seen)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
}

// follow reads one watch to its end.
func (c *Client) follow(ctx context.Context, apiVersion, kind, version string, seen func(o Object, deleted bool)) {
	path, err := c.path(ctx, apiVersion, kind, "", "")
	if err != nil {
		return
	}
	query := url.Values{"watch": {"true"}, "resourceVersion": {version}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path+"?"+query.Encode(), nil)
	if err != nil {
		return
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return
	}
	defer res.Body.Close() //nolint:errcheck // Abandoned on purpose.

	events := json.NewDecoder(res.Body)
	for {
		var event struct {
			Type   string `json:"type"`
			Object Object `json:"object"`
		}
		if err := events.Decode(&event); err != nil {
			return
		}
		switch event.Type {
		case "ADDED", "MODIFIED":
			seen(event.Object, false)
		case "DELETED":
			seen(event.Object, true)
		case "ERROR":
			return // The version is too old: list again.
		}
	}
}
