package provision

import (
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"berth/provision/scripts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// providers are the packages with the commands that the scripts' messages recommend. What is not in packages.sh, every Debian
// system has: these are of priority "required" or "important", or of Debian's cloud images.
var providers = map[string]string{
	"apt-get": "apt", "bash": "bash", "blockdev": "util-linux", "cat": "coreutils", "cp": "coreutils", "certbot": "certbot", "curl": "curl", "df": "coreutils",
	"dmesg": "util-linux", "docker": "docker-cli", "dpkg": "dpkg", "dumpe2fs": "e2fsprogs", "e2fsck": "e2fsprogs", "e2label": "e2fsprogs",
	"findmnt": "util-linux", "git": "git", "journalctl": "systemd", "ls": "coreutils", "lsblk": "util-linux", "lslocks": "util-linux", "mv": "coreutils",
	"nft": "nftables", "nginx": "nginx-light", "rm": "coreutils", "readlink": "coreutils", "touch": "coreutils", "systemctl": "systemd", "systemd-analyze": "systemd", "tail": "coreutils", "timedatectl": "systemd",
	"tee": "coreutils", "cloud-init": "cloud-init", "wipefs": "util-linux",
}

var ofTheSystem = []string{"apt", "bash", "cloud-init", "coreutils", "dpkg", "e2fsprogs", "systemd", "util-linux"}

// ofTheOperator run on the operator's machine.
var ofTheOperator = []string{"aws", "pulumi"}

// TestWhatIsRecommendedIsInstalled finds the commands that messages recommend, and holds them against the server's packages.
func TestWhatIsRecommendedIsInstalled(t *testing.T) {
	packages, err := scripts.Read("steps/packages.sh")
	require.NoError(t, err)
	list := regexp.MustCompile(`(?s)PACKAGES=\((.*?)\)`).FindStringSubmatch(packages)
	require.NotNil(t, list)
	installed := append(strings.Fields(list[1]), ofTheSystem...)
	recommended := regexp.MustCompile(`\bsudo (?:-n )?([a-z/][\w./-]*)|\b[Ll]ook with: ([a-z/][\w./-]*)|: (systemctl|journalctl|docker|nginx|certbot|dig|ss|lsof|fuser|df|ls|findmnt) `)
	found := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS("."), "scripts", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".sh") {
			return err
		}
		script, err := os.ReadFile(path)
		for line := range strings.Lines(string(script)) {
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			for _, match := range recommended.FindAllStringSubmatch(line, -1) {
				found[match[1]+match[2]+match[3]] = path
			}
		}
		return err
	}))
	delete(found, "sudo")
	delete(found, "timeout") // install.sh's own.
	require.Greater(t, len(found), 15)
	for _, command := range slices.Sorted(maps.Keys(found)) {
		if own, ok := strings.CutPrefix(command, "/opt/berth/"); ok {
			_, err := scripts.Read(own)
			assert.NoErrorf(t, err, "%s recommends %s", found[command], command)
			continue
		}
		if slices.Contains(ofTheOperator, command) {
			continue
		}
		provider, ok := providers[command]
		if assert.Truef(t, ok, "%s recommends %s, of no known package: add it to providers, or recommend what the server has", found[command], command) {
			assert.Containsf(t, installed, provider, "%s recommends %s of the package %s, which the server does not have", found[command], command, provider)
		}
	}
}
