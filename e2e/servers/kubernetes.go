package main

import (
	"os"
	_ "time/tzdata" // the controller manager's CronJobs name time zones that this machine may not have

	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubectl's exec plugins and OIDC
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

// The three mains below are those of k8s.io/kubernetes/cmd.

func runAPIServer() error {
	os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	return nil
}

func runControllerManager() error {
	os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	return nil
}

func runKubectl() error {
	_, _ = logs.GlogSetter(cmd.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err) // prints it as kubectl does, and exits
	}
	return nil
}
