package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"math"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What happened to all requests of one status.
type outcome struct {
	Count    int            `json:"count"`
	P50      float64        `json:"p50_ms"`
	P90      float64        `json:"p90_ms"`
	P99      float64        `json:"p99_ms"`
	Max      float64        `json:"max_ms"`
	Messages map[string]int `json:"messages,omitempty"`

	times []float64
}

const (
	messagesMax     = 20
	messageBytesMax = 400
	retriesMax      = 10
)

func quantile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := int(math.Ceil(share*float64(len(sorted)))) - 1
	return math.Round(sorted[max(0, at)]*100) / 100
}

// load sends a body again and again; {{N}} in body and path is the number of the request, {{P}} in the path one of -places.
func load(words []string) {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	who := addCredentials(flags)
	servers := flags.String("servers", "", "base URLs with commas, taken in turn")
	path := flags.String("path", "", "path and query")
	places := flags.String("places", "", "what stands for {{P}}, with commas, taken in turn")
	method := flags.String("method", "POST", "method")
	content := flags.String("content", "application/json", "content type")
	bodyFile := flags.String("body", "", "file with the body")
	total := flags.Int("n", 0, "how many requests; 0: until -seconds is over or standard input ends")
	concurrency := flags.Int("c", 16, "how many at once")
	rate := flags.Float64("rate", 0, "begin so many a second instead, whatever is still open")
	seconds := flags.Float64("seconds", 0, "stop after so long")
	offset := flags.Int("offset", 0, "number of the first request")
	timeout := flags.Duration("timeout", 60*time.Second, "of one request")
	_ = flags.Parse(words)

	var body []byte
	if *bodyFile != "" {
		var err error
		if body, err = os.ReadFile(*bodyFile); err != nil {
			fail("%v", err)
		}
	}
	bases, spots := strings.Split(*servers, ","), strings.Split(*places, ",")
	client := &http.Client{Transport: who.transport(), Timeout: *timeout}

	stop, cancel := context.WithCancel(context.Background())
	defer cancel()
	if *seconds > 0 {
		time.AfterFunc(time.Duration(*seconds*float64(time.Second)), cancel)
	} else if *total == 0 {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}

	var lock sync.Mutex
	outcomes := map[string]*outcome{}
	note := func(key, message string, took time.Duration) {
		lock.Lock()
		defer lock.Unlock()
		found := outcomes[key]
		if found == nil {
			found = &outcome{Messages: map[string]int{}}
			outcomes[key] = found
		}
		found.times = append(found.times, float64(took.Microseconds())/1000)
		if message != "" && (len(found.Messages) < messagesMax || found.Messages[message] > 0) {
			found.Messages[message]++
		}
	}
	var throttled atomic.Int64
	// What the API server's own flow control turns away is tried again, as client-go does: by Retry-After, so often and no more.
	send := func(method, url string, body []byte) (*http.Response, error) {
		for try := 0; ; try++ {
			request, err := http.NewRequest(method, url, bytes.NewReader(body))
			if err != nil {
				fail("%v", err)
			}
			request.Header.Set("Content-Type", *content)
			who.authorize(request)
			answer, err := client.Do(request)
			if err != nil || answer.StatusCode != http.StatusTooManyRequests || try == retriesMax {
				return answer, err
			}
			pause, err := strconv.Atoi(answer.Header.Get("Retry-After"))
			if err != nil {
				return answer, nil
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			throttled.Add(1)
			time.Sleep(time.Duration(pause) * time.Second)
		}
	}
	one := func(n int) {
		number := strconv.Itoa(n + *offset)
		url := bases[n%len(bases)] + strings.NewReplacer("{{N}}", number, "{{P}}", spots[n%len(spots)]).Replace(*path)
		begun := time.Now()
		answer, err := send(*method, url, bytes.ReplaceAll(body, []byte("{{N}}"), []byte(number)))
		if err != nil {
			note("error", short(err.Error()), time.Since(begun))
			return
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		took := time.Since(begun)
		if err != nil {
			note("error", short(err.Error()), took)
			return
		}
		message := ""
		if answer.StatusCode >= 300 {
			var status struct{ Message string }
			_ = json.Unmarshal(text, &status)
			message = short(status.Message)
		}
		note(strconv.Itoa(answer.StatusCode), message, took)
	}

	begun := time.Now()
	var running sync.WaitGroup
	if *rate > 0 {
		gap := time.Duration(float64(time.Second) / *rate)
		for n := 0; (*total == 0 || n < *total) && stop.Err() == nil; n++ {
			if wait := time.Until(begun.Add(time.Duration(n) * gap)); wait > 0 {
				time.Sleep(wait)
			}
			running.Add(1)
			go func() {
				defer running.Done()
				one(n)
			}()
		}
	} else {
		var next atomic.Int64
		for range *concurrency {
			running.Add(1)
			go func() {
				defer running.Done()
				for stop.Err() == nil {
					n := int(next.Add(1)) - 1
					if *total > 0 && n >= *total {
						return
					}
					one(n)
				}
			}()
		}
	}
	running.Wait()
	took := time.Since(begun).Seconds()

	count := 0
	for _, each := range outcomes {
		sort.Float64s(each.times)
		each.Count = len(each.times)
		each.P50, each.P90, each.P99, each.Max = quantile(each.times, 0.5), quantile(each.times, 0.9), quantile(each.times, 0.99), quantile(each.times, 1)
		count += each.Count
	}
	printJSON(map[string]any{"seconds": math.Round(took*1000) / 1000, "requests": count, "per_second": math.Round(float64(count)/took*10) / 10, "by_status": outcomes, "throttled": throttled.Load()})
}

func short(text string) string {
	if len(text) > messageBytesMax {
		return text[:messageBytesMax]
	}
	return text
}
