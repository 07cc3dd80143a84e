package main

import (
	"os"
	_ "time/tzdata" // the controller manager's CronJobs name time zones that this machine may not have

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

// The two mains below are those of k8s.io/kubernetes/cmd.

func runAPIServer() error {
	os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	return nil
}

func runControllerManager() error {
	os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	return nil
}
