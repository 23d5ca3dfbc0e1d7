package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/term"

	"berth/rehearsal/aws"
	"berth/rehearsal/detect"
	"berth/rehearsal/stack"
)

// customApp is an app of the operator's own that the rehearsal tries. It is kept, so that later commands mean the
// same one.
type customApp struct {
	// Name is the folder or URL that was given, Folder where its files are.
	Name, Folder string
	// Settings are those of the stack that are the app's.
	Settings []stack.Setting
	// Password is the one behind those that are secrets.
	Password string
}

// isURL matches what git takes for a repository elsewhere: a URL, or user@host:path.
var isURL = regexp.MustCompile(`^([a-z+]+://|[\w.-]+@[\w.-]+:)`)

func (r *rehearsal) customAppFile() string { return filepath.Join(r.Dir, "app.json") }

// kept is the app that was tried last, nil for none.
func (r *rehearsal) kept() (*customApp, error) {
	text, err := os.ReadFile(r.customAppFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	own := &customApp{}
	if err == nil {
		err = json.Unmarshal(text, own)
	}
	if err != nil {
		return nil, fmt.Errorf("read which app is rehearsed: %w; start again: make rehearse-clean", err)
	}
	return own, nil
}

// try rehearses an app of the operator's own: what can be detected from its files is shown for a confirmation, then it goes
// the way of every app, preview first.
func (r *rehearsal) try(ctx context.Context, name string) error {
	if err := checkMachine(ctx); err != nil {
		return err
	}
	own, err := r.findApp(ctx, name)
	if err != nil {
		return err
	}
	r.App = own.Folder
	if err := r.world.Publish(ctx, own.Folder); err != nil {
		return err
	}
	said, err := r.keptSettings()
	if err != nil {
		return err
	}
	detected, err := r.detect(ctx, said)
	var unguessed *detect.Unguessed
	if errors.As(err, &unguessed) {
		return fmt.Errorf("%w; say it: make rehearse APP=%s SET=%q", err, name, unguessed.Say)
	}
	if err != nil {
		return err
	}
	own.take(detected, said)
	r.show(name, detected, said)
	if err := confirm(name); err != nil {
		return err
	}
	text, err := json.Marshal(own)
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.customAppFile(), text, 0o600); err != nil {
		return err
	}
	if err := r.preview(ctx); err != nil {
		return err
	}
	return r.up(ctx)
}

// nameOf is an app's name in a sentence; nil is the sample app.
func nameOf(app *customApp) string {
	if app == nil {
		return "the sample app"
	}
	return app.Name
}

// findApp finds the app's files. A running rehearsal of another app keeps it.
func (r *rehearsal) findApp(ctx context.Context, name string) (*customApp, error) {
	before, err := r.kept()
	if err != nil {
		return nil, err
	}
	account, err := aws.Read(filepath.Join(r.Dir, "aws"))
	if err != nil {
		return nil, err
	}
	running := len(account.OfType("aws:ec2/instance:Instance")) > 0
	if running && (before == nil || before.Name != name) {
		return nil, fmt.Errorf("the rehearsal %s runs another app, %s; to run this one as well, give its rehearsal a name: make rehearse NAME=second APP=%s; or remove the other one first: make rehearse-clean", r.Name, nameOf(before), name)
	}
	own := &customApp{Name: name, Folder: name}
	if before != nil && before.Name == name {
		own.Settings, own.Password = before.Settings, before.Password
	}
	if isURL.MatchString(name) {
		own.Folder = filepath.Join(r.Dir, "app")
		if err := os.RemoveAll(own.Folder); err != nil {
			return nil, err
		}
		clone := exec.CommandContext(ctx, "git", "clone", "--quiet", "--depth", "1", "--", name, own.Folder)
		clone.Stdout, clone.Stderr = os.Stdout, os.Stderr
		if err := clone.Run(); err != nil {
			return nil, fmt.Errorf("clone %s: %w; the lines above say why", name, err)
		}
		return own, nil
	}
	if own.Folder, err = filepath.Abs(name); err != nil {
		return nil, err
	}
	if info, err := os.Stat(own.Folder); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("the app %s is neither a folder nor a git URL; give it the folder with the compose file: make rehearse APP=../my-app", name)
	}
	return own, nil
}

// isRoute matches a setting of routes.
var isRoute = regexp.MustCompile(`^routes(\[|$)`)

// isComposeFile matches a setting of compose files.
var isComposeFile = regexp.MustCompile(`^composeFile(\[\d+\])?$`)

// detect reads what would be released, the files that git takes, beside the settings that were said.
func (r *rehearsal) detect(ctx context.Context, said []stack.Setting) (*detect.Settings, error) {
	folder, err := os.MkdirTemp("", "berth-detect-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	if err := r.world.Checkout(ctx, folder); err != nil {
		return nil, err
	}
	given := detect.Given{Variables: map[string]string{}}
	for _, setting := range said {
		for _, kind := range []string{"environment.", "secrets."} {
			if name, ok := strings.CutPrefix(setting.Path, kind); ok {
				given.Variables[name] = setting.Value
			}
		}
		if isComposeFile.MatchString(setting.Path) {
			given.ComposeFiles = append(given.ComposeFiles, setting.Value)
		}
		given.Routed = given.Routed || isRoute.MatchString(setting.Path)
	}
	return detect.From(ctx, folder, given)
}

// take makes what was detected the app's settings. A secret that was made before stays: a database remembers the one it was
// made with.
//
// Routes that were said as a whole leave no detected one; single keys are those of a detected one.
func (own *customApp) take(detected *detect.Settings, said []stack.Setting) {
	var settings []stack.Setting
	for i, file := range detected.ComposeFiles {
		settings = append(settings, stack.Setting{Path: fmt.Sprintf("composeFile[%d]", i), Value: file})
	}
	if slices.ContainsFunc(said, func(s stack.Setting) bool { return s.Path == "routes" }) {
		detected.Routes = nil
	}
	for i, route := range detected.Routes {
		at := fmt.Sprintf("routes[%d].", i)
		settings = append(settings, stack.Setting{Path: at + "path", Value: route.Path},
			stack.Setting{Path: at + "service", Value: route.Service}, stack.Setting{Path: at + "port", Value: fmt.Sprint(route.Port)})
	}
	for _, name := range slices.Sorted(maps.Keys(detected.Environment)) {
		settings = append(settings, stack.Setting{Path: "environment." + name, Value: detected.Environment[name]})
	}
	made := map[string]string{}
	for _, one := range own.Settings {
		made[one.Path] = one.Value
	}
	own.Password = cmp.Or(own.Password, rand.Text())
	for _, name := range slices.Sorted(maps.Keys(detected.Secrets)) {
		secret, path := detected.Secrets[name], "secrets."+name
		settings = append(settings, stack.Setting{Path: path, Value: cmp.Or(made[path], secret.Value(own.Password, rand.Text()+rand.Text(), randomBytes)), Secret: true})
	}
	own.Settings = settings
}

func randomBytes(count int) []byte {
	bytes := make([]byte, count)
	_, _ = rand.Read(bytes) // It never fails.
	return bytes
}

// show says what was detected, and what was said.
func (r *rehearsal) show(name string, detected *detect.Settings, said []stack.Setting) {
	fmt.Printf("\n%s, as far as %s and .env.example tell:\n", name, strings.Join(detected.ComposeFiles, ", "))
	for _, route := range detected.Routes {
		fmt.Printf("  route      %-6s -> port %d of %s\n", route.Path, route.Port, route.Service)
	}
	for _, service := range detected.Unrouted {
		fmt.Printf("  no route   %s answers on a port and is reached by the other services alone\n", service)
	}
	for _, variable := range slices.Sorted(maps.Keys(detected.Environment)) {
		value := detected.Environment[variable]
		if value == "" {
			value = fmt.Sprintf("   (empty; if the app needs it: SET=secrets.%s=VALUE)", variable)
		}
		fmt.Printf("  variable   %s=%s\n", variable, value)
	}
	passwords := 0
	for _, variable := range slices.Sorted(maps.Keys(detected.Secrets)) {
		secret := detected.Secrets[variable]
		switch {
		case secret.Before != "" && secret.Password:
			fmt.Printf("  secret     %s=%s…%s, with the random password\n", variable, secret.Before, secret.After)
		case secret.Before != "":
			fmt.Printf("  secret     %s=%s…%s, a random one\n", variable, secret.Before, secret.After)
		case secret.Password && passwords > 0:
			fmt.Printf("  secret     %s, the same password\n", variable)
		default:
			fmt.Printf("  secret     %s, a random one\n", variable)
		}
		if secret.Password && secret.Before == "" {
			passwords++
		}
	}
	for _, setting := range said {
		value := setting.Value
		if setting.Secret {
			value = "[secret]"
		}
		fmt.Printf("  by SET     %s=%s\n", setting.Path, value)
	}
	fmt.Println(withName(r.Name, fmt.Sprintf("Otherwise: make rehearse APP=%s SET=\"routes=web:80 environment.NAME=value secrets.NAME=value\"; SET=NAME- takes one back", name)))
}

// confirm asks whoever can be asked.
func confirm(name string) error {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		fmt.Print("Taken as it is: there is no terminal to ask.\n\n")
		return nil
	}
	fmt.Print("Rehearse it like this? [Y/n] ")
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return err
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "" && answer != "y" && answer != "yes" {
		return fmt.Errorf("nothing was done; say it otherwise with SET, as above: make rehearse APP=%s SET=…", name)
	}
	return nil
}
