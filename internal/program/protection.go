package program

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/internal/config"
)

// protection depends on everything else, so that Pulumi, which destroys from the top, meets it first: protected, it
// ends a destroy before anything is gone. Without it a destroy would stop only at the volume, with the server deleted.
type protection struct{ pulumi.ResourceState }

// unprotect is the protection's name: it is what Pulumi's refusal shows of a resource.
const unprotect = "to destroy: pulumi config set berth:protect false, pulumi up, pulumi destroy"

// declared collects every resource that the program declares from now on. Depending on components instead would miss
// what the SDK has not entered as their children yet, which it does in its own time. It is a transformation and no transform
// (RegisterResourceTransform), which is handed no resource.
func declared(ctx *pulumi.Context) (*[]pulumi.Resource, error) {
	all := &[]pulumi.Resource{}
	err := ctx.RegisterStackTransformation(func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
		*all = append(*all, args.Resource)
		return nil
	})
	return all, err
}

func protect(ctx *pulumi.Context, cfg *config.Config, all []pulumi.Resource) error {
	err := ctx.RegisterComponentResource("berth:program:Protection", unprotect, &protection{},
		pulumi.DependsOn(all), pulumi.Protect(cfg.Protect))
	if err != nil {
		return fmt.Errorf("declare the protection: %w", err)
	}
	return nil
}
