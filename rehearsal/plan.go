package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"berth/internal/config"
	"berth/internal/release"
	"berth/internal/release/git"
)

// planned is a commit, and the settings that its release follows.
type planned struct {
	Repository, Commit, Strategy string
	ComposeFiles, Allow          []string
	Routes                       []config.Route
	Images, Variables            map[string]string
	Migration                    *config.Migration
	Database                     *config.Database
}

func planCommand() *cobra.Command {
	return &cobra.Command{Use: "plan", Short: "Print the plan of a release, as 'pulumi up' hands it to the server; the settings are JSON on standard input", Args: cobra.NoArgs, RunE: func(command *cobra.Command, _ []string) error {
		var of planned
		if err := json.NewDecoder(command.InOrStdin()).Decode(&of); err != nil {
			return fmt.Errorf("read the settings: %w", err)
		}
		cfg := &config.Config{Repository: of.Repository, Ref: of.Commit, ComposeFiles: of.ComposeFiles, ReleaseStrategy: of.Strategy, Routes: of.Routes, Images: of.Images, Environment: of.Variables,
			Migration: of.Migration, Database: of.Database, Allow: of.Allow}
		repository, err := git.Open(cfg)
		if err != nil {
			return err
		}
		defer repository.Close()
		made, err := release.Make(command.Context(), cfg, repository, of.Commit)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(command.OutOrStdout(), made.Plan.Document)
		return err
	}}
}
