package provision

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"

	"berth/internal/config"
)

//go:embed nginx/site.conf.tmpl
var siteText string

var siteTemplate = template.Must(template.New("site.conf").Parse(siteText))

// bodySpace in MiB is the file system that request bodies wait on; scripts/edge/spool.sh makes it.
const bodySpace = 1024

// bodies are how many request bodies of a kind an address may send at a time.
type bodies struct {
	Name   string
	AtOnce int
}

// share gives each kind its part of the space, by the largest body that it may hold.
func share(uploadLimit int) []bodies {
	return []bodies{{"small", bodySpace / 8}, {"medium", bodySpace / 8 / 10}, {"large", bodySpace / 2 / uploadLimit}}
}

// site renders nginx's configuration of the edge. The names are DNS names by validation, so nothing in them means
// anything to nginx.
func site(cfg *config.Config) (string, error) {
	var text bytes.Buffer
	if err := siteTemplate.Execute(&text, struct {
		Names       []string
		UploadLimit int
		Bodies      []bodies
	}{cfg.Names(), cfg.UploadLimit, share(cfg.UploadLimit)}); err != nil {
		return "", fmt.Errorf("render nginx's configuration: %w", err)
	}
	return text.String(), nil
}
