package native

import "net/http"

// Problems turns an error into the answer's status, headers and RFC 9457 body, and logs what must not be shown. web.Problems does.
type Problems interface {
	Render(r *http.Request, err error) (status int, header http.Header, body []byte)
}
