package provision

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"

	"berth/config"
)

//go:embed nginx/site.conf.tmpl
var siteText string

var siteTemplate = template.Must(template.New("site.conf").Parse(siteText))

// site renders nginx's configuration of the edge. The names are DNS names by validation, so nothing in them means
// anything to nginx.
func site(cfg *config.Config) (string, error) {
	var text bytes.Buffer
	if err := siteTemplate.Execute(&text, struct{ Names []string }{cfg.Names()}); err != nil {
		return "", fmt.Errorf("render nginx's configuration: %w", err)
	}
	return text.String(), nil
}
