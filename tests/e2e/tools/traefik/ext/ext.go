// Package ext stands in for Traefik's own module of this name, which is a folder of its repository and in no module proxy. The
// open-source Traefik has nothing in these types.
package ext

// HTTP extends a dynamic HTTP configuration by nothing.
type HTTP struct{}

// Router extends a router by nothing.
type Router struct{}
