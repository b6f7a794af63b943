// Command jsonpath-oracle evaluates JSONPath templates with client-go as
// `kubectl get -o jsonpath=` does, so that the tests can compare
// aim-admission's own grammar and evaluation with kubectl's.
//
// It reads one JSON document a line from standard input,
// {"template": string, "object": any}, and writes one JSON document a line,
// {"values": [what the template selects, in order]} or {"error": string}.
// Text outside of expressions is among the values.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	kubejson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/util/jsonpath"
)

type question struct {
	Template string `json:"template"`
	Object   any    `json:"object"`
}

type answer struct {
	Values []any  `json:"values"`
	Error  string `json:"error,omitempty"`
}

func evaluate(q question) answer {
	// kubectl's --allow-missing-template-keys is on by default.
	path := jsonpath.New("template").AllowMissingKeys(true)
	if err := path.Parse(q.Template); err != nil {
		return answer{Error: err.Error()}
	}
	results, err := path.FindResults(q.Object)
	if err != nil {
		return answer{Error: err.Error()}
	}
	values := []any{}
	for _, result := range results {
		for _, value := range result {
			values = append(values, value.Interface())
		}
	}
	return answer{Values: values}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 16<<20)
	encoder := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var q question
		// As in kubectl, whole numbers are integers, which matters to comparisons.
		if err := kubejson.Unmarshal(lines.Bytes(), &q); err != nil {
			_ = encoder.Encode(answer{Error: "not a question: " + err.Error()})
			continue
		}
		_ = encoder.Encode(evaluate(q))
	}
	if err := lines.Err(); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}
