//go:build tools

// Package tools pins the Node.js language host of Pulumi; the last release whose module holds it.
package tools

import _ "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs"
