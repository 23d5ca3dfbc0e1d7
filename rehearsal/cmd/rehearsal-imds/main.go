// rehearsal-imds serves the instance metadata of one host inside the host's network namespace. It needs NET_ADMIN to
// give the loopback interface the service's address.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	"berth/rehearsal/imds"
)

func main() {
	instance := flag.String("instance", "instance.json", "file that describes the instance")
	listen := flag.String("listen", "169.254.169.254:80", "address to serve on; a link-local one is first added to the interface lo")
	flag.Parse()
	if err := serve(*instance, *listen); err != nil {
		fmt.Fprintln(os.Stderr, "rehearsal-imds:", err)
		os.Exit(1)
	}
}

func serve(instance, listen string) error {
	if _, err := imds.Read(instance); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("read -listen %q: %w", listen, err)
	}
	if address := net.ParseIP(host); address != nil && address.IsLinkLocalUnicast() {
		output, err := exec.Command("ip", "address", "replace", host+"/32", "dev", "lo").CombinedOutput()
		if err != nil {
			return fmt.Errorf("add %s to the interface lo: %w: %s", host, err, output)
		}
	}
	server := &http.Server{Addr: listen, Handler: imds.New(instance), ReadHeaderTimeout: 5 * time.Second}
	return fmt.Errorf("serve the metadata: %w", server.ListenAndServe())
}
