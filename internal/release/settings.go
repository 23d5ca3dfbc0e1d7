package release

import (
	"encoding/json"
	"fmt"
	"maps"

	"berth/internal/config"
	"berth/internal/release/plan"
)

// settingsOf are the settings of the stack that a plan follows.
func settingsOf(cfg *config.Config) plan.Settings {
	settings := plan.Settings{Routes: cfg.Routes, Images: map[string]string{}, Strategy: cfg.ReleaseStrategy, Migration: cfg.Migration, Database: cfg.Database, Allow: cfg.Allow, External: cfg.External}
	maps.Copy(settings.Images, cfg.Images)
	return settings
}

// Settings is what the server is given of the stack, as JSON.
func Settings(cfg *config.Config) (string, error) {
	text, err := json.Marshal(settingsOf(cfg))
	if err != nil {
		return "", fmt.Errorf("write the release's settings: %w", err)
	}
	return string(text), nil
}
