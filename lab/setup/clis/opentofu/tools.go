//go:build tools

// Package tools pins the OpenTofu CLI, so that it can be built from Go modules alone.
package tools

import _ "github.com/opentofu/opentofu/cmd/tofu"
