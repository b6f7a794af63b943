// Command kubeconfig-oracle loads kubeconfig files with client-go as kubectl
// does, so that the tests can compare aim-admission's loader with it.
//
// It reads one JSON document a line from standard input, a question, and
// writes one JSON document a line, an answer.
package main

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os"

	"golang.org/x/net/http/httpproxy"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/transport"
)

type question struct {
	// Explicit is the file of --kubeconfig, Files those of KUBECONFIG.
	Explicit string            `json:"explicit"`
	Files    []string          `json:"files"`
	Context  string            `json:"context"`
	Env      map[string]string `json:"env"`
}

type answer struct {
	Error       string                         `json:"error,omitempty"`
	Server      string                         `json:"server,omitempty"`
	Namespace   string                         `json:"namespace,omitempty"`
	Token       string                         `json:"token,omitempty"`
	TokenFile   string                         `json:"tokenFile,omitempty"`
	Username    string                         `json:"username,omitempty"`
	CAFile      string                         `json:"caFile,omitempty"`
	CertFile    string                         `json:"certFile,omitempty"`
	Insecure    bool                           `json:"insecure,omitempty"`
	ServerName  string                         `json:"serverName,omitempty"`
	Command     string                         `json:"command,omitempty"`
	Proxy       string                         `json:"proxy,omitempty"`
	Impersonate *transport.ImpersonationConfig `json:"impersonate,omitempty"`
}

func load(q question) (*answer, error) {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: q.Explicit, Precedence: q.Files}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: q.Context}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, err
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, err
	}
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	a := &answer{
		Server: server.String(), Namespace: namespace,
		Token: config.BearerToken, TokenFile: config.BearerTokenFile, Username: config.Username,
		CAFile: config.CAFile, CertFile: config.CertFile, Insecure: config.Insecure, ServerName: config.ServerName,
	}
	if config.ExecProvider != nil {
		a.Command = config.ExecProvider.Command
	}
	if i := config.Impersonate; i.UserName != "" {
		a.Impersonate = &transport.ImpersonationConfig{UserName: i.UserName, UID: i.UID, Groups: i.Groups, Extra: i.Extra}
	}
	var proxy *url.URL
	if config.Proxy != nil {
		proxy, err = config.Proxy(nil)
	} else {
		// What http.ProxyFromEnvironment calls, which reads the environment once.
		proxy, err = (&httpproxy.Config{
			HTTPProxy: q.Env["HTTP_PROXY"], HTTPSProxy: q.Env["HTTPS_PROXY"], NoProxy: q.Env["NO_PROXY"],
		}).ProxyFunc()(server)
	}
	if err != nil {
		return nil, err
	}
	if proxy != nil {
		a.Proxy = proxy.String()
	}
	return a, nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 16<<20)
	encoder := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var q question
		err := json.Unmarshal(lines.Bytes(), &q)
		a := &answer{}
		if err == nil {
			a, err = load(q)
		}
		if err != nil {
			a = &answer{Error: err.Error()}
		}
		_ = encoder.Encode(a)
	}
	if err := lines.Err(); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}
