// etcd 3.6, which Debian 12 does not have: WatchList and consistent lists from the cache need it.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
