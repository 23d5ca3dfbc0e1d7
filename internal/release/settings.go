package release

import (
	"encoding/json"
	"fmt"
	"maps"

	"berth/internal/config"
)

// appGiven is what the release's plan is made with; release/plan.jq reads it.
type appGiven struct {
	Routes    []appRoute        `json:"routes"`
	Images    map[string]string `json:"images"`
	Strategy  string            `json:"strategy"`
	Migration *config.Migration `json:"migration"`
	Database  *config.Database  `json:"database"`
	// Allow is for release/trust.jq.
	Allow []string `json:"allow,omitempty"`
}

type appRoute struct {
	Path    string `json:"path"`
	Service string `json:"service"`
	Port    int    `json:"port"`
	Health  string `json:"health"`
}

// Settings is what plan.jq is given of the stack, as JSON.
func Settings(cfg *config.Config) (string, error) {
	given := appGiven{Images: map[string]string{}, Strategy: cfg.ReleaseStrategy, Migration: cfg.Migration, Database: cfg.Database, Allow: cfg.Allow}
	for _, route := range cfg.Routes {
		given.Routes = append(given.Routes, appRoute(route))
	}
	maps.Copy(given.Images, cfg.Images)
	text, err := json.Marshal(given)
	if err != nil {
		return "", fmt.Errorf("write the release's settings: %w", err)
	}
	return string(text), nil
}
