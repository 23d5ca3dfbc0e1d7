package instance

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTypes holds some types against AWS's pages: of each class, burstable and not, with sizes that follow no rule.
func TestTypes(t *testing.T) {
	for name, want := range map[string]Type{
		"t3.nano":         {VCPUs: 2, Memory: 512},
		"t3a.2xlarge":     {VCPUs: 8, Memory: 32 << 10},
		"m5.large":        {VCPUs: 2, Memory: 8 << 10},
		"m5zn.3xlarge":    {VCPUs: 12, Memory: 48 << 10},
		"m7a.medium":      {VCPUs: 1, Memory: 4 << 10},
		"m7i-flex.xlarge": {VCPUs: 4, Memory: 16 << 10},
		"m6idn.32xlarge":  {VCPUs: 128, Memory: 512 << 10},
		"c5.9xlarge":      {VCPUs: 36, Memory: 72 << 10},
		"c5n.xlarge":      {VCPUs: 4, Memory: 10752},
		"c5n.9xlarge":     {VCPUs: 36, Memory: 96 << 10},
		"c8i.96xlarge":    {VCPUs: 384, Memory: 768 << 10},
		"r6i.large":       {VCPUs: 2, Memory: 16 << 10},
		"r8a.medium":      {VCPUs: 1, Memory: 8 << 10},
	} {
		found, ok := Lookup(name)
		require.True(t, ok, name)
		assert.Equal(t, []int{want.VCPUs, want.Memory}, []int{found.VCPUs, found.Memory}, name)
	}
	seen := map[string]bool{}
	for i, one := range All {
		assert.False(t, seen[one.Name()], one.Name())
		seen[one.Name()] = true
		assert.Positive(t, one.Memory, one.Name())
		assert.Equal(t, one.Burstable(), one.Family == "t3" || one.Family == "t3a", one.Name())
		if i > 0 && All[i-1].Family == one.Family {
			assert.Greater(t, one.Memory, All[i-1].Memory, one.Name())
			assert.GreaterOrEqual(t, one.VCPUs, All[i-1].VCPUs, one.Name())
		}
	}
}

func TestRefuse(t *testing.T) {
	for name, want := range map[string][2]string{
		"t4g.small":      {ARM, "t3.small"},
		"m7g.large":      {ARM, "m7a.large"},
		"c6gn.2xlarge":   {ARM, "c6a.2xlarge"},
		"r8gd.medium":    {ARM, "r8a.medium"},
		"a1.large":       {ARM, "t3.micro"},
		"m7g.metal":      {ARM, "m7a.medium"},
		"t2.micro":       {Xen, "t3.micro"},
		"m4.10xlarge":    {Xen, "m5.large"},
		"m5.metal":       {Metal, "m5.large"},
		"c7i.metal-24xl": {Metal, "c7i.large"},
		"m5.10xlarge":    {Unknown, "m5.large"},
		"m9i.large":      {Unknown, "m5.large"},
		"g5.xlarge":      {Unknown, "t3.micro"},
		"t3":             {Unknown, "t3.nano"},
		"M5.LARGE":       {Unknown, "t3.micro"},
		"":               {Unknown, "t3.micro"},
	} {
		_, known := Lookup(name)
		assert.False(t, known, name)
		why, instead := Refuse(name)
		assert.Equal(t, want, [2]string{why, instead}, name)
		_, known = Lookup(instead)
		assert.True(t, known, instead)
	}
}

func TestOtherAndLarger(t *testing.T) {
	for name, other := range map[string]string{"t3.micro": "t3a.micro", "t3a.small": "t3.small", "m7i.large": "m5.large", "m5.large": "m5a.large", "c5n.large": "t3.micro"} {
		found, _ := Lookup(name)
		assert.Equal(t, other, found.Other(), name)
	}
	small, _ := Lookup("m7i.large")
	larger, ok := small.Larger(5, 1024)
	assert.True(t, ok)
	assert.Equal(t, "m7i.2xlarge", larger.Name())
	_, ok = small.Larger(1000, 0)
	assert.False(t, ok)
}
