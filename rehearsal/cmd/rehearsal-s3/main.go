// rehearsal-s3 takes the objects of the account's buckets over TLS.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"berth/rehearsal/s3"
)

func main() {
	account := flag.String("account", ".", "folder of the AWS stand-in's state")
	objects := flag.String("objects", ".", "folder of the objects")
	listen := flag.String("listen", ":443", "address to serve on")
	certificate := flag.String("certificate", "s3.pem", "file of the certificate, for *.s3.REGION.amazonaws.com")
	key := flag.String("key", "s3.key", "file of its private key")
	most := flag.Int64("most", 0, "bytes that one request may bring, 0 for S3's own limit")
	flag.Parse()
	service := s3.New(*account, *objects)
	if *most > 0 {
		service.Most = *most
	}
	server := &http.Server{Addr: *listen, Handler: service, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, "rehearsal-s3:", server.ListenAndServeTLS(*certificate, *key))
	os.Exit(1)
}
