package state

import (
	"errors"
	"maps"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// backend answers from a state that is being written for the first calls.
type backend struct {
	says    string
	writing int
	asked   int
}

func (b *backend) NewResource(pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	return "", nil, errors.New("nothing is made here")
}

func (b *backend) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	if b.asked++; b.asked <= b.writing {
		return nil, errors.New(b.says)
	}
	return resource.PropertyMap{"outputs": resource.NewProperty(resource.PropertyMap{"commit": resource.NewProperty(args.Args["name"].StringValue())})}, nil
}

// TestAStateThatIsBeingWrittenIsReadAgain, not for ever, and nothing else is.
func TestAStateThatIsBeingWrittenIsReadAgain(t *testing.T) {
	const writing = "readStackOutputs returned an error: failed to load checkpoint: EOF"
	for name, test := range map[string]struct {
		backend backend
		asked   int
		fails   bool
	}{
		"at once":         {backend{}, 1, false},
		"while written":   {backend{says: writing, writing: 3}, 4, false},
		"never":           {backend{says: writing, writing: 1000}, tries, true},
		"another failure": {backend{says: "access denied", writing: 1000}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			var outputs map[string]any
			err := pulumi.RunErr(func(ctx *pulumi.Context) (err error) {
				outputs, err = Outputs(ctx)
				return err
			}, pulumi.WithMocks("berth", "test", &test.backend))
			assert.Equal(t, test.asked, test.backend.asked)
			if test.fails {
				require.ErrorContains(t, err, "read the state of the stack organization/berth/test")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, map[string]any{"commit": "organization/berth/test"}, outputs)
		})
	}
}

// TestARunReadsTheOutputsOnce, however many ask and however close together; the next run reads them again.
func TestARunReadsTheOutputsOnce(t *testing.T) {
	for run := 1; run <= 2; run++ {
		backend := &backend{}
		require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
			early := make(chan error)
			go func() {
				_, err := Outputs(ctx)
				early <- err
			}()
			first, err := Outputs(ctx)
			require.NoError(t, err)
			require.NoError(t, <-early)
			second, err := Outputs(ctx)
			assert.Equal(t, first, second)
			return err
		}, pulumi.WithMocks("berth", "test", backend)))
		assert.Equal(t, 1, backend.asked)
	}
}

// told answers both questions, and counts them.
type told struct {
	lock    sync.Mutex
	outputs resource.PropertyMap
	asked   map[string]int
}

func (*told) NewResource(pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	return "", nil, errors.New("nothing is made here")
}

func (b *told) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.asked[args.Token]++
	if args.Token == "pulumi:pulumi:readStackOutputs" {
		return resource.PropertyMap{"outputs": resource.NewProperty(b.outputs)}, nil
	}
	one := resource.PropertyMap{"type": resource.NewProperty("t"), "outputs": resource.NewProperty(resource.PropertyMap{"a": resource.NewProperty("b")})}
	return resource.PropertyMap{"outputs": resource.NewProperty(resource.PropertyMap{"urn": resource.NewProperty(one)})}, nil
}

// TestBothAreReadAhead once each, and the resources only where there are outputs: without a state some backends crash.
func TestBothAreReadAhead(t *testing.T) {
	run := func(b *told, program func(*pulumi.Context)) map[string]int {
		b.asked = map[string]int{}
		require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
			Ahead(ctx)
			program(ctx)
			return nil
		}, pulumi.WithMocks("berth", "test", b)))
		b.lock.Lock()
		defer b.lock.Unlock()
		return maps.Clone(b.asked)
	}
	there := &told{outputs: resource.PropertyMap{"commit": resource.NewProperty("x")}}
	asked := run(there, func(ctx *pulumi.Context) {
		for range 2 {
			found, err := Resources(ctx)
			require.NoError(t, err)
			assert.Equal(t, map[string]Resource{"urn": {Type: "t", Outputs: map[string]any{"a": "b"}}}, found)
		}
		_, err := Outputs(ctx)
		require.NoError(t, err)
	})
	assert.Equal(t, map[string]int{"pulumi:pulumi:readStackOutputs": 1, "pulumi:pulumi:readStackResourceOutputs": 1}, asked)
	asked = run(&told{}, readBoth)
	assert.Equal(t, map[string]int{"pulumi:pulumi:readStackOutputs": 1}, asked)
}
