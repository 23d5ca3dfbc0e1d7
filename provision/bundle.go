package provision

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"berth/provision/scripts"
)

// packed is the bundle, which is made once.
var packed = sync.OnceValues(bundle)

// Ahead begins to pack the scripts, beside other work.
func Ahead() {
	go func() { _, _ = packed() }() // Whoever asks for them has the error.
}

// bundle packs the scripts for /opt/berth: a gzipped tar archive in base64, the same for the same scripts.
func bundle() (string, error) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zip)
	err := fs.WalkDir(scripts.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		header := &tar.Header{Name: name, Mode: 0o755, Typeflag: tar.TypeDir}
		if entry.IsDir() {
			return archive.WriteHeader(header)
		}
		content, err := scripts.FS.ReadFile(name)
		if err != nil {
			return err
		}
		header.Typeflag, header.Size = tar.TypeReg, int64(len(content))
		if !strings.HasSuffix(name, ".sh") {
			header.Mode = 0o644
		}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		_, err = archive.Write(content)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("pack the scripts: %w", err)
	}
	if err := archive.Close(); err != nil {
		return "", fmt.Errorf("pack the scripts: %w", err)
	}
	if err := zip.Close(); err != nil {
		return "", fmt.Errorf("pack the scripts: %w", err)
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes()) + "\n", nil
}

// under lists the scripts of a folder.
func under(folder string) ([]string, error) {
	entries, err := scripts.FS.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("list the scripts of %s: %w", folder, err)
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, folder+"/"+entry.Name())
	}
	return names, nil
}

// fingerprint identifies the content of some scripts: a step that runs them runs again when they change. It is short
// because the preview shows it.
func fingerprint(names ...string) (string, error) {
	sum := sha256.New()
	for _, name := range names {
		content, err := scripts.FS.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("read script %s: %w", name, err)
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(content))
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}
