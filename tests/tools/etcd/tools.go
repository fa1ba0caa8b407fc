//go:build tools

// Package tools pins the etcd server that stores the test bed's control plane.
package tools

import _ "go.etcd.io/etcd/server/v3"
