// A floor for benchmarks: a mutating webhook as controller-runtime scaffolds it, on one core. It decodes the object,
// sets a field, and answers with the JSON Patch between both. Usage: controller-runtime-webhook CERT_FILE KEY_FILE
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager/signals"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

type mutator struct{ decoder admission.Decoder }

func (m mutator) Handle(_ context.Context, request admission.Request) admission.Response {
	object := &unstructured.Unstructured{}
	if err := m.decoder.Decode(request, object); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if err := unstructured.SetNestedField(object.Object, "default", "spec", "runtimeConfigName"); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	mutated, err := json.Marshal(object)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, mutated)
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(certFile, keyFile string) error {
	log.SetLogger(logr.Discard())
	port, err := freePort()
	if err != nil {
		return err
	}
	server := webhook.NewServer(webhook.Options{
		Host:     "127.0.0.1",
		Port:     port,
		CertDir:  filepath.Dir(certFile),
		CertName: filepath.Base(certFile),
		KeyName:  filepath.Base(keyFile),
	})
	hook := &webhook.Admission{Handler: mutator{admission.NewDecoder(runtime.NewScheme())}}
	server.Register("/mutate/aimservices", hook)
	go announce(server, port)
	return server.Start(signals.SetupSignalHandler())
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// announce prints the address as a line of JSON once the server listens.
func announce(server webhook.Server, port int) {
	for server.StartedChecker()(nil) != nil {
		time.Sleep(50 * time.Millisecond)
	}
	fmt.Fprintf(os.Stderr, "{\"msg\":\"serving\",\"url\":\"https://127.0.0.1:%d\"}\n", port)
}
