// Package language stands in for pulumi-language-go, Pulumi's host for programs in Go: the engine attaches to it and it
// runs a built program, as the real one does once it has built it.
package language

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/constant"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"berth/rehearsal/provider"
)

// host runs programs that are built already, each at the same path below its project's folder.
type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	path   string
	lock   sync.Mutex
	engine string
}

// Serve serves the host on a port of its own, which PULUMI_DEBUG_LANGUAGES names to the engine. A project's program is at
// path below the project's folder.
func Serve(path string) (port int, stop func(), err error) { return serve(&host{path: path}) }

func serve(h *host) (port int, stop func(), err error) {
	return provider.ServeWith(func(server *grpc.Server) { pulumirpc.RegisterLanguageRuntimeServer(server, h) })
}

// Handshake tells where the engine listens. Each command that attaches has an engine of its own.
func (h *host) Handshake(_ context.Context, request *pulumirpc.LanguageHandshakeRequest) (*pulumirpc.LanguageHandshakeResponse, error) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if address := request.GetEngineAddress(); address != "" {
		h.engine = address
	}
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (*host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "1.0.0"}, nil
}

// GetRequiredPackages names none: the providers are attached.
func (*host) GetRequiredPackages(context.Context, *pulumirpc.GetRequiredPackagesRequest) (*pulumirpc.GetRequiredPackagesResponse, error) {
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

func (*host) RuntimeOptionsPrompts(context.Context, *pulumirpc.RuntimeOptionsRequest) (*pulumirpc.RuntimeOptionsResponse, error) {
	return &pulumirpc.RuntimeOptionsResponse{}, nil
}

// InstallDependencies has nothing to do: Go fetches what a program needs when it is built.
func (*host) InstallDependencies(*pulumirpc.InstallDependenciesRequest, grpc.ServerStreamingServer[pulumirpc.InstallDependenciesResponse]) error {
	return nil
}

// Template changes nothing of a project that was made from a template.
func (*host) Template(context.Context, *pulumirpc.TemplateRequest) (*pulumirpc.TemplateResponse, error) {
	return &pulumirpc.TemplateResponse{}, nil
}

// Run runs the program in a process of its own, configured by its environment.
func (h *host) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	settings, err := json.Marshal(request.GetConfig())
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(request.GetConfigSecretKeys())
	if err != nil {
		return nil, err
	}
	h.lock.Lock()
	engine := h.engine
	h.lock.Unlock()
	folder := request.GetInfo().GetProgramDirectory()
	command := exec.CommandContext(ctx, filepath.Join(folder, h.path))
	command.Dir = folder
	command.Env = os.Environ()
	for name, value := range map[string]string{
		pulumi.EnvProject: request.GetProject(), pulumi.EnvStack: request.GetStack(), pulumi.EnvOrganization: request.GetOrganization(),
		pulumi.EnvPulumiRootDirectory: request.GetInfo().GetRootDirectory(),
		pulumi.EnvConfig:              string(settings), pulumi.EnvConfigSecretKeys: string(secrets),
		pulumi.EnvDryRun: strconv.FormatBool(request.GetDryRun()), pulumi.EnvParallel: strconv.Itoa(int(request.GetParallel())),
		pulumi.EnvMonitor: request.GetMonitorAddress(), pulumi.EnvEngine: engine,
	} {
		command.Env = append(command.Env, name+"="+value)
	}
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	err = command.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == constant.ExitStatusLoggedError:
		// The program has reported the error to the engine.
		return &pulumirpc.RunResponse{Bail: true}, nil
	case err != nil:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("run %s: %s", command.Path, err)}, nil
	}
	return &pulumirpc.RunResponse{}, nil
}
