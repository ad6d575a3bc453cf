// What Kubernetes' own quota evaluators say that objects use, for comparing our arithmetic with theirs.
//
// In: a line of JSON an object: {"resource": "pods", "group": "", "now": 1764000000, "defaults": false, "object": {...}}.
// Out: a line of JSON each: {"cpu": "1500000000", ...}, amounts in nano units; or {"error": "..."}.
// `defaults`: pods first get what the API server fills in when it stores them.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	corev1defaults "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/pkg/quota/v1/evaluator/core"
	testingclock "k8s.io/utils/clock/testing"
)

const lineBytesMax = 8 << 20

type question struct {
	Resource string          `json:"resource"`
	Group    string          `json:"group"`
	Now      int64           `json:"now"`
	Defaults bool            `json:"defaults"`
	Object   json.RawMessage `json:"object"`
}

// The aliases of evaluator/core/registry.go.
var aliases = map[string]corev1.ResourceName{
	"configmaps":             corev1.ResourceConfigMaps,
	"resourcequotas":         corev1.ResourceQuotas,
	"replicationcontrollers": corev1.ResourceReplicationControllers,
	"secrets":                corev1.ResourceSecrets,
}

func usage(q question) (corev1.ResourceList, error) {
	if q.Group == "" {
		switch q.Resource {
		case "pods":
			pod := &corev1.Pod{}
			if err := json.Unmarshal(q.Object, pod); err != nil {
				return nil, err
			}
			if q.Defaults {
				corev1defaults.SetObjectDefaults_Pod(pod)
			}
			return core.PodUsageFunc(pod, testingclock.NewFakeClock(time.Unix(q.Now, 0)))
		case "persistentvolumeclaims":
			claim := &corev1.PersistentVolumeClaim{}
			if err := json.Unmarshal(q.Object, claim); err != nil {
				return nil, err
			}
			return core.NewPersistentVolumeClaimEvaluator(nil).Usage(claim)
		case "services":
			service := &corev1.Service{}
			if err := json.Unmarshal(q.Object, service); err != nil {
				return nil, err
			}
			return core.NewServiceEvaluator(nil).Usage(service)
		}
	}
	var object runtime.Object = &unstructured.Unstructured{}
	kind := schema.GroupResource{Group: q.Group, Resource: q.Resource}
	alias := corev1.ResourceName("")
	if q.Group == "" {
		alias = aliases[q.Resource]
	}
	return generic.NewObjectCountEvaluator(kind, nil, alias).Usage(object)
}

// Exactly, in nano units: what Kubernetes keeps at most.
func nanos(quantity resource.Quantity) string {
	decimal := quantity.AsDec()
	amount := new(big.Int).Set(decimal.UnscaledBig())
	shift := 9 - int64(decimal.Scale())
	power := new(big.Int).Exp(big.NewInt(10), new(big.Int).Abs(big.NewInt(shift)), nil)
	if shift >= 0 {
		amount.Mul(amount, power)
	} else {
		amount.Quo(amount, power)
	}
	return amount.String()
}

func answer(line []byte) any {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return map[string]string{"error": err.Error()}
	}
	list, err := usage(q)
	if err != nil {
		return map[string]string{"error": err.Error()}
	}
	out := map[string]string{}
	for name, quantity := range list {
		out[string(name)] = nanos(quantity)
	}
	return out
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 1<<16), lineBytesMax)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		if err := encoder.Encode(answer(lines.Bytes())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := out.Flush(); err != nil {
		os.Exit(1)
	}
}
