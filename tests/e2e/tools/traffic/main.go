// What the tests of budgets and faults need in the way of traffic, quick enough not to be what is measured:
//
//	load    many writes at once, or so many a second, to one or several API servers; latencies and what was answered
//	watch   an independent witness: the most that ever was stored at one moment, summed at every event of a watch
//	proxy   an API server between a client and the real one, which lies, dawdles, or goes away when told to
//
// Only the standard library.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
)

type credentials struct{ ca, certificate, key, token *string }

func addCredentials(flags *flag.FlagSet) credentials {
	return credentials{flags.String("ca", "", "roots"), flags.String("cert", "", "client certificate"), flags.String("key", "", "its key"),
		flags.String("token", "", "bearer token")}
}

func roots(file string) *x509.CertPool {
	pem, err := os.ReadFile(file)
	if err != nil {
		fail("%v", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		fail("%s: no certificate", file)
	}
	return pool
}

func (c credentials) transport() *http.Transport {
	config := &tls.Config{RootCAs: roots(*c.ca)}
	if *c.certificate != "" {
		pair, err := tls.LoadX509KeyPair(*c.certificate, *c.key)
		if err != nil {
			fail("%v", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 1000, DisableCompression: true}
}

func (c credentials) authorize(request *http.Request) {
	if *c.token != "" {
		request.Header.Set("Authorization", "Bearer "+*c.token)
	}
}

func fail(format string, words ...any) {
	fmt.Fprintf(os.Stderr, "traffic: "+format+"\n", words...)
	os.Exit(1)
}

func printJSON(value any) {
	encoder := json.NewEncoder(os.Stdout)
	if err := encoder.Encode(value); err != nil {
		fail("%v", err)
	}
}

func main() {
	commands := map[string]func([]string){"load": load, "watch": watch, "proxy": proxy}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fail("load, watch or proxy")
	}
	commands[os.Args[1]](os.Args[2:])
}
