// The refuser is a proxy for a certificate authority and answers in its place where it is asked for a new order:
//
//	refuser LISTEN CERTIFICATE KEY AUTHORITY STATUS RETRY-AFTER PROBLEM
//
// It passes everything else on. PROBLEM is the answer's body, RETRY-AFTER its header or "".
package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) != 8 {
		fmt.Fprintln(os.Stderr, "usage: refuser LISTEN CERTIFICATE KEY AUTHORITY STATUS RETRY-AFTER PROBLEM")
		os.Exit(2)
	}
	if err := refuse(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "refuser:", err)
		os.Exit(1)
	}
}

func refuse(args []string) error {
	status, err := strconv.Atoi(args[4])
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{
		// The name that it was asked by stays: the authority's answers hold addresses.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: args[3]})
			r.Out.Host = r.In.Host
		},
		// A request for the refuser's own host is not forwarded.
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}
	server := &http.Server{Addr: args[0], ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/order-plz" { // Pebble's newOrder.
			proxy.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		if args[5] != "" {
			w.Header().Set("Retry-After", args[5])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, args[6])
	})}
	return server.ListenAndServeTLS(args[1], args[2])
}
