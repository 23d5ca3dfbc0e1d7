package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pkg/sftp"
	"github.com/pulumi/pulumi-command/sdk/go/command/remote"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// copyToRemote is command:remote:CopyToRemote, which copies a file or a folder by SFTP. It sets no modes, makes no
// parent folders, and removes nothing: not on delete, and not what the source no longer has.
type copyToRemote struct{ provider *Provider }

func (c copyToRemote) arguments() arguments { return remote.CopyToRemoteArgs{} }

func (c copyToRemote) computed() []resource.PropertyKey { return nil }

func (c copyToRemote) check(inputs resource.PropertyMap) []*pulumirpc.CheckFailure {
	value := reveal(inputs["source"])
	if value.IsComputed() || value.IsAsset() && value.AssetValue().IsPath() || value.IsArchive() && value.ArchiveValue().IsPath() {
		return nil
	}
	return []*pulumirpc.CheckFailure{{Property: "source", Reason: "source: it must be an asset or an archive by path: a FileAsset or a FileArchive"}}
}

func (c copyToRemote) create(ctx context.Context, urn string, inputs resource.PropertyMap) (resource.PropertyMap, error) {
	return nil, c.copy(ctx, urn, inputs)
}

// update copies again where the source or its destination changed; another change, of the connection say, is kept alone.
func (c copyToRemote) update(ctx context.Context, urn string, inputs, olds resource.PropertyMap) (resource.PropertyMap, error) {
	if text(inputs, "remotePath") == text(olds, "remotePath") && reveal(inputs["source"]).DeepEquals(olds["source"]) {
		return nil, nil
	}
	return nil, c.copy(ctx, urn, inputs)
}

func (c copyToRemote) remove(context.Context, string, resource.PropertyMap) error { return nil }

func (c copyToRemote) copy(ctx context.Context, urn string, inputs resource.PropertyMap) (err error) {
	from, to := sourcePath(inputs), text(inputs, "remotePath")
	client, err := c.provider.dial(ctx, urn, object(inputs, "connection"))
	if err != nil {
		return err
	}
	defer client.close()
	defer context.AfterFunc(ctx, client.close)()
	files, err := sftp.NewClient(client.Client)
	if err != nil {
		return fmt.Errorf("start SFTP on %s: %w", client.RemoteAddr(), err)
	}
	err = upload(files, from, to)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		err = fmt.Errorf("copy %s to %s: %w", from, to, err)
	}
	return errors.Join(err, ignoreClosed(files.Close()))
}

func sourcePath(inputs resource.PropertyMap) string {
	if value := reveal(inputs["source"]); value.IsArchive() {
		return value.ArchiveValue().Path
	} else if value.IsAsset() {
		return value.AssetValue().Path
	}
	return ""
}

// upload follows the real provider: a file goes to the destination, or into it where that is a folder; a folder goes
// into the destination under its own name, which a trailing slash on the source leaves out.
func upload(files *sftp.Client, from, to string) error {
	source, err := os.Stat(from)
	if err != nil {
		return err
	}
	if !source.IsDir() {
		if existing, err := files.Stat(to); err == nil && existing.IsDir() {
			to = path.Join(to, filepath.Base(from))
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("check %s: %w", to, err)
		}
		return uploadFile(files, from, to)
	}
	if !strings.HasSuffix(from, "/") {
		if err := makeFolder(files, to); err != nil {
			return err
		}
		to = path.Join(to, filepath.Base(from))
	}
	return filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := path.Join(to, filepath.ToSlash(relative))
		if entry.IsDir() {
			return makeFolder(files, target)
		}
		return uploadFile(files, name, target)
	})
}

func makeFolder(files *sftp.Client, name string) error {
	existing, err := files.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := files.Mkdir(name); err != nil {
			return fmt.Errorf("make folder %s: %w", name, err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("check %s: %w", name, err)
	case !existing.IsDir():
		return fmt.Errorf("make folder %s: it exists and is no folder", name)
	}
	return nil
}

func uploadFile(files *sftp.Client, from, to string) error {
	local, err := os.Open(from) //nolint:gosec // The path is the program's own.
	if err != nil {
		return err
	}
	defer func() { _ = local.Close() }() // It was only read.
	target, err := files.Create(to)
	if err != nil {
		return fmt.Errorf("create %s: %w; its folder must exist", to, err)
	}
	_, err = target.ReadFrom(local)
	return errors.Join(err, target.Close())
}
