package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A rule says what befalls the requests that it matches. The first that matches decides.
type rule struct {
	Method  string  `json:"method"`  // empty: any
	Path    string  `json:"path"`    // regular expression over path and query
	Watch   *bool   `json:"watch"`   // only watches, or only what is none
	Every   int     `json:"every"`   // only each so-manieth that matches
	Action  string  `json:"action"`  // status, body, delay, hang, garbage, drop-reply, cut, silence
	Status  int     `json:"status"`  // of status and body
	Retry   string  `json:"retry"`   // a Retry-After header
	Seconds float64 `json:"seconds"` // of delay and cut
	Body    string  `json:"body"`

	matches *regexp.Regexp
	seen    int
}

type state struct {
	lock     sync.Mutex
	rules    []*rule
	stalled  chan struct{} // not nil while no byte passes either way; closed to go on
	refusing bool
	counts   map[string]int
	seconds  map[int64]int
	dials    int
	open     map[net.Conn]bool
}

func (s *state) note(request *http.Request) {
	s.lock.Lock()
	defer s.lock.Unlock()
	path := request.URL.Path
	key := request.Method
	if request.URL.Query().Get("watch") != "" {
		key = "WATCH"
	}
	s.counts[key+" "+path]++
	s.counts["all"]++
	s.seconds[time.Now().Unix()]++
}

func (s *state) decide(request *http.Request) *rule {
	s.lock.Lock()
	defer s.lock.Unlock()
	watching := request.URL.Query().Get("watch") != ""
	for _, each := range s.rules {
		if (each.Method != "" && each.Method != request.Method) || (each.Watch != nil && *each.Watch != watching) || !each.matches.MatchString(request.URL.RequestURI()) {
			continue
		}
		each.seen++
		if each.Every > 1 && each.seen%each.Every != 0 {
			continue
		}
		s.counts["fault "+each.Action]++
		return each
	}
	return nil
}

// pass waits while the proxy is stalled.
func (s *state) pass() {
	s.lock.Lock()
	gate := s.stalled
	s.lock.Unlock()
	if gate != nil {
		<-gate
	}
}

// stallConn lets no byte through while the proxy is stalled: a peer that is there and says nothing.
type stallConn struct {
	net.Conn
	state *state
}

func (c stallConn) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	c.state.pass()
	return n, err
}

func (c stallConn) Write(bytes []byte) (int, error) {
	c.state.pass()
	return c.Conn.Write(bytes)
}

func (c stallConn) Close() error {
	c.state.lock.Lock()
	delete(c.state.open, c.Conn)
	c.state.lock.Unlock()
	return c.Conn.Close()
}

type listener struct {
	net.Listener
	state *state
}

func (l listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.state.lock.Lock()
		l.state.dials++
		refusing := l.state.refusing
		if !refusing {
			l.state.open[conn] = true
		}
		l.state.lock.Unlock()
		if refusing {
			conn.Close()
			continue
		}
		return stallConn{conn, l.state}, nil
	}
}

// swallowed takes an answer whole and throws it away.
type swallowed struct{ header http.Header }

func (s swallowed) Header() http.Header             { return s.header }
func (s swallowed) Write(bytes []byte) (int, error) { return len(bytes), nil }
func (s swallowed) WriteHeader(int)                 {}
func statusBody(code int, reason, text string) string {
	body, _ := json.Marshal(map[string]any{"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure", "message": text, "reason": reason, "code": code})
	return string(body)
}

// proxy listens with TLS, passes to the upstream, and obeys a control address: PUT /rules, PUT /mode (pass, stall, refuse),
// POST /drop (closes what is open), GET /counts, POST /reset.
func proxy(words []string) {
	flags := flag.NewFlagSet("proxy", flag.ExitOnError)
	who := addCredentials(flags)
	listen := flags.String("listen", "", "address")
	control := flags.String("control", "", "address")
	upstream := flags.String("upstream", "", "base URL")
	protocols := flags.String("protocols", "h2,http/1.1", "what is offered by ALPN")
	_ = flags.Parse(words)
	target, err := url.Parse(*upstream)
	if err != nil {
		fail("%v", err)
	}
	pair, err := tls.LoadX509KeyPair(*who.certificate, *who.key)
	if err != nil {
		fail("%v", err)
	}
	now := &state{counts: map[string]int{}, seconds: map[int64]int{}, open: map[net.Conn]bool{}}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots(*who.ca)}, ForceAttemptHTTP2: true, DisableCompression: true},
		FlushInterval: -1,
		ErrorLog:      log.New(os.Stderr, "", 0),
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, err error) { panic(http.ErrAbortHandler) },
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		now.note(r)
		fault := now.decide(r)
		if fault == nil {
			forward.ServeHTTP(w, r)
			return
		}
		switch fault.Action {
		case "status":
			if fault.Retry != "" {
				w.Header().Set("Retry-After", fault.Retry)
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(fault.Status)
			fmt.Fprint(w, statusBody(fault.Status, map[int]string{410: "Expired", 429: "TooManyRequests"}[fault.Status], "the proxy says so"))
		case "body":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(fault.Status)
			fmt.Fprint(w, fault.Body)
		case "delay":
			select {
			case <-time.After(time.Duration(fault.Seconds * float64(time.Second))):
				forward.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		case "hang":
			<-r.Context().Done()
		case "garbage":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "\x00\xff{\"items\":[{{{", strings.Repeat("\xfe\"", 1000), fault.Body)
		case "drop-reply":
			forward.ServeHTTP(swallowed{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		case "cut":
			limited, cancel := context.WithTimeout(r.Context(), time.Duration(fault.Seconds*float64(time.Second)))
			defer cancel()
			forward.ServeHTTP(w, r.WithContext(limited))
			panic(http.ErrAbortHandler)
		case "silence":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		default:
			fail("no such action: %s", fault.Action)
		}
	}
	go serveControl(*control, now)
	plain, err := net.Listen("tcp", *listen)
	if err != nil {
		fail("%v", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(handler), ErrorLog: log.New(os.Stderr, "", 0)}
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: strings.Split(*protocols, ",")}
	if !strings.Contains(*protocols, "h2") {
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	fmt.Println("ready")
	fail("%v", server.ServeTLS(listener{plain, now}, "", ""))
}

func serveControl(address string, now *state) {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /rules", func(w http.ResponseWriter, r *http.Request) {
		var rules []*rule
		if err := json.NewDecoder(r.Body).Decode(&rules); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, each := range rules {
			each.matches = regexp.MustCompile(each.Path)
		}
		now.lock.Lock()
		now.rules = rules
		now.lock.Unlock()
	})
	mux.HandleFunc("PUT /mode/{mode}", func(w http.ResponseWriter, r *http.Request) {
		now.lock.Lock()
		defer now.lock.Unlock()
		mode := r.PathValue("mode")
		now.refusing = mode == "refuse"
		if mode == "stall" && now.stalled == nil {
			now.stalled = make(chan struct{})
		}
		if mode != "stall" && now.stalled != nil {
			close(now.stalled)
			now.stalled = nil
		}
		if now.refusing {
			for conn := range now.open {
				conn.Close()
			}
			now.open = map[net.Conn]bool{}
		}
	})
	mux.HandleFunc("POST /drop", func(w http.ResponseWriter, r *http.Request) {
		now.lock.Lock()
		defer now.lock.Unlock()
		for conn := range now.open {
			conn.Close()
		}
		now.open = map[net.Conn]bool{}
	})
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, r *http.Request) {
		now.lock.Lock()
		defer now.lock.Unlock()
		now.counts, now.seconds, now.dials = map[string]int{}, map[int64]int{}, 0
	})
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, r *http.Request) {
		now.lock.Lock()
		defer now.lock.Unlock()
		peak := 0
		for _, count := range now.seconds {
			peak = max(peak, count)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"requests": now.counts, "dials": now.dials, "peak_per_second": peak, "open": len(now.open)})
	})
	fail("%v", http.ListenAndServe(address, mux))
}
