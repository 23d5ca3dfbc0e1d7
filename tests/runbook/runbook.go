// Package runbook reads the commands out of the runbook's pages, so that a test can run what an operator would.
package runbook

import (
	"bytes"
	"strings"
)

// The kinds of blocks, as they are written in a block's info string after "sh".
const (
	// Host blocks run on the server, over SSH.
	Host = "host"
	// Operator blocks run pulumi and aws on the operator's machine.
	Operator = "operator"
	// Rehearsal blocks do in a rehearsal what the operator's block before them does.
	Rehearsal = "rehearsal"
)

// Block is a fenced block of commands.
type Block struct {
	Kind   string
	Script string
}

// Blocks are the blocks of a page whose info string is "sh" and a kind, in order. A fence may be indented, as in a list;
// the script then loses as much. Blocks of other languages, or without a kind, are not for running.
func Blocks(page []byte) []Block {
	var blocks []Block
	var script []string
	var fence, kind, indent string
	for line := range bytes.Lines(page) {
		text := strings.TrimRight(string(line), "\r\n")
		bare := strings.TrimLeft(text, " ")
		ticks := bare[:len(bare)-len(strings.TrimLeft(bare, "`"))]
		rest := strings.TrimSpace(bare[len(ticks):])
		switch {
		case fence == "" && len(ticks) >= 3:
			fence, kind, script = ticks, "", nil
			indent = text[:len(text)-len(bare)]
			if words := strings.Fields(rest); len(words) == 2 && words[0] == "sh" {
				kind = words[1]
			}
		case fence != "" && rest == "" && len(ticks) >= len(fence):
			if kind != "" {
				blocks = append(blocks, Block{Kind: kind, Script: strings.Join(script, "")})
			}
			fence = ""
		case fence != "":
			script = append(script, strings.TrimPrefix(text, indent)+"\n")
		}
	}
	return blocks
}
