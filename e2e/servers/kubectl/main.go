// Kubectl is the real kubectl. It is no part of the servers' binary, because whatever a binary holds is
// initialized at each start: kubectl would take twice the CPU time, and the tests start it a thousand times.
package main

import (
	"os"

	_ "k8s.io/client-go/plugin/pkg/client/auth" // exec plugins and OIDC
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

// main is that of k8s.io/kubernetes/cmd/kubectl.
func main() {
	_, _ = logs.GlogSetter(cmd.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err) // prints it as kubectl does, and exits
	}
}
