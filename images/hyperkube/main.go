// Command hyperkube is Kubernetes in one program: the component to run is its first argument, or its own name when
// it is called through a link (kubectl -> hyperkube). The package compiles inside the Kubernetes source tree, as
// cmd/hyperkube, against the constructors that each component exports.
package main

import (
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/component-base/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

type component struct {
	name    string
	aliases []string
	command func() *cobra.Command
}

// The aliases are the short names that hyperkube images have answered to since v1.0.
var components = []component{
	{"kube-apiserver", []string{"apiserver"}, apiserver.NewAPIServerCommand},
	{"kube-controller-manager", []string{"controller-manager"}, controllermanager.NewControllerManagerCommand},
	{"kube-scheduler", []string{"scheduler"}, func() *cobra.Command { return scheduler.NewSchedulerCommand() }},
	{"kube-proxy", []string{"proxy"}, proxy.NewProxyCommand},
	{"kubelet", nil, kubelet.NewKubeletCommand},
	{"kubectl", nil, kubectl.NewDefaultKubectlCommand},
}

func find(name string) *component {
	for i := range components {
		c := &components[i]
		if c.name == name {
			return c
		}
		for _, alias := range c.aliases {
			if alias == name {
				return c
			}
		}
	}
	return nil
}

func usage(w io.Writer) {
	fmt.Fprintf(w, "hyperkube %s\n\nUsage:\n  hyperkube COMPONENT [flags]\n\nComponents:\n", version.Get().GitVersion)
	lines := make([]string, 0, len(components))
	for _, c := range components {
		line := "  " + c.name
		if len(c.aliases) > 0 {
			line += " (" + strings.Join(c.aliases, ", ") + ")"
		}
		lines = append(lines, line)
	}
	sort.Strings(lines)
	fmt.Fprintln(w, strings.Join(lines, "\n"))
}

func main() {
	rand.Seed(time.Now().UnixNano())
	args := os.Args
	chosen := find(filepath.Base(args[0]))
	if chosen == nil {
		if len(args) < 2 {
			usage(os.Stderr)
			os.Exit(2)
		}
		switch args[1] {
		case "help", "--help", "-h":
			usage(os.Stdout)
			return
		case "version", "--version":
			fmt.Printf("Kubernetes %s\n", version.Get().GitVersion)
			return
		}
		args = args[1:]
		if chosen = find(filepath.Base(args[0])); chosen == nil {
			fmt.Fprintf(os.Stderr, "hyperkube: no component %q\n\n", args[0])
			usage(os.Stderr)
			os.Exit(2)
		}
	}
	// cobra, kubectl's plugin look-up and the kubelet's own flag parser all read os.Args.
	os.Args = append([]string{chosen.name}, args[1:]...)

	pflag.CommandLine.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	logs.InitLogs()
	err := chosen.command().Execute()
	logs.FlushLogs()
	if err != nil {
		os.Exit(1)
	}
}
