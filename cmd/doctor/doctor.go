package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"berth/internal/config"
)

// How long things may take: a program on this machine, a few questions to AWS, a download from the git host.
const (
	local    = 20 * time.Second
	remote   = 40 * time.Second
	download = 3 * time.Minute
)

// doctor makes the checks.
type doctor struct {
	// chosen is the stack that was named, "" for the selected one; resolver is the public name server.
	chosen, resolver string
	// project is Berth's own folder, folder the one with the stack's settings.
	project, folder string

	settings lazy[*stack]
	account  lazy[*account]
	named    lazy[*zone]
	ours     lazy[string]
	commit   lazy[*candidate]
}

// checks are all of them, in the order of the report: first what everything else depends on.
func (d *doctor) checks() []check {
	return []check{
		{"pulumi", local, d.pulumi},
		{"go", local, d.golang},
		{"git", local, d.git},
		{"ssh", local, d.ssh},
		{"state", local, d.state},
		{"settings", local, d.readable},
		{"keys", local, d.keys},
		{"credentials", remote, d.credentials},
		{"permissions", 2 * remote, d.permissions},
		{"region", remote, d.region},
		{"addresses", remote, d.addresses},
		{"vcpus", remote, d.vcpus},
		{"network", remote, d.network},
		{"certificate", remote, d.certificate},
		{"zone", remote, d.zone},
		{"names", remote, d.names},
		{"repository", download, d.repository},
		{"compose", download + time.Minute, d.compose},
		{"cost", remote, d.cost},
	}
}

// begin makes the folders whole and has everything that is written on the way, the copy of the app's repository and the
// deploy key's file among it, in a folder that clean takes away.
func (d *doctor) begin() (clean func(), err error) {
	for _, folder := range []*string{&d.project, &d.folder} {
		if *folder, err = filepath.Abs(*folder); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(filepath.Join(d.folder, "Pulumi.yaml")); err != nil {
		return nil, fmt.Errorf("find Pulumi.yaml: %w; run this in Berth's folder: make doctor", err)
	}
	scratch, err := os.MkdirTemp("", "berth-doctor-")
	if err != nil {
		return nil, err
	}
	clean = func() { _ = os.RemoveAll(scratch) }
	if err := errors.Join(os.Setenv("BERTH_CACHE", scratch), os.Setenv("TMPDIR", scratch)); err != nil {
		clean()
		return nil, err
	}
	return clean, nil
}

// sound gives the stack's settings where those of these names are sound; otherwise there is a finding that says so.
func (d *doctor) sound(ctx context.Context, keys ...string) (*config.Config, *stack, *finding) {
	read, err := d.stack(ctx)
	if err != nil {
		skipped := wait("the stack's settings cannot be read (see there)")
		return nil, nil, &skipped
	}
	if wrong := read.wrong(keys...); wrong != "" {
		skipped := wait("%s is wrong (see settings)", wrong)
		return nil, nil, &skipped
	}
	return read.config, read, nil
}

// inAccount is sound for a check that asks AWS, with the account.
func (d *doctor) inAccount(ctx context.Context, keys ...string) (*config.Config, *stack, *account, *finding) {
	cfg, read, skipped := d.sound(ctx, append(keys, "region")...)
	if skipped != nil {
		return nil, nil, nil, skipped
	}
	account, err := d.signedIn(ctx)
	if err != nil {
		skipped := wait("AWS does not know who asks (see credentials)")
		return nil, nil, nil, &skipped
	}
	return cfg, read, account, nil
}

// in is AWS's configuration for another region.
func in(settings aws.Config, region string) aws.Config {
	settings = settings.Copy()
	settings.Region = region
	return settings
}
