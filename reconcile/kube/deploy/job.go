package deploy

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
)

// jobContainer is the name of the job's only container.
const jobContainer = "certsync"

// jobArguments is the job's command line. All other settings are in its environment.
var jobArguments = []string{"apply", "--yes", "--drift", "--hold"}

const (
	// jobDeadline ends a job that hangs, so that the next one can start.
	jobDeadline = time.Hour
	// lateStart is the time by which a job may start late. A later one would overlap with the next.
	lateStart = 5 * time.Minute
	// memoryLimit is the job's, in bytes. Go's collector works harder from seven eighths of it on: otherwise the heap may double between
	// two collections, and the kernel ends the job (exit code 137).
	memoryLimit = 512 << 20
	// afterLastStep is the time that a run has after its last steps, to report its result, free the lock and revoke its
	// token.
	afterLastStep = 40 * time.Second
)

// finalExits are the exit codes after which the job is not tried again: a refusal, on which people must act, and a wrong
// command line.
var finalExits = []int32{3, 80}

func (d Deployment) cronJob(files *corev1.ConfigMap) *batchv1.CronJob {
	late, kept, failed := int64(lateStart/time.Second), int32(1), int32(3)
	return &batchv1.CronJob{
		TypeMeta: kind(batchv1.SchemeGroupVersion, "CronJob"), ObjectMeta: d.meta("", d.Namespace),
		Spec: batchv1.CronJobSpec{
			Schedule:                   d.Schedule,
			ConcurrencyPolicy:          batchv1.ForbidConcurrent,
			StartingDeadlineSeconds:    &late,
			SuccessfulJobsHistoryLimit: &kept,
			FailedJobsHistoryLimit:     &failed,
			JobTemplate:                batchv1.JobTemplateSpec{Spec: d.job(files)},
		},
	}
}

func (d Deployment) job(files *corev1.ConfigMap) batchv1.JobSpec {
	deadline, again, container := int64(jobDeadline/time.Second), int32(1), jobContainer
	return batchv1.JobSpec{
		ActiveDeadlineSeconds: &deadline,
		BackoffLimit:          &again,
		PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
			{
				Action: batchv1.PodFailurePolicyActionFailJob,
				OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
					ContainerName: &container, Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: finalExits,
				},
			},
			{ // that a node was drained is not a failure of the run
				Action: batchv1.PodFailurePolicyActionIgnore,
				OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
					{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue},
				},
			},
		}},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: d.labels()}, Spec: d.pod(files)},
	}
}

func (d Deployment) pod(files *corev1.ConfigMap) corev1.PodSpec {
	yes, no, nobody := true, false, int64(65532)
	grace := int64((reconcile.LastStep + afterLastStep) / time.Second)
	volumes, mounts := d.mounts(files)
	return corev1.PodSpec{
		ServiceAccountName:            ApplyAccount,
		AutomountServiceAccountToken:  &no,
		EnableServiceLinks:            &no,
		RestartPolicy:                 corev1.RestartPolicyNever,
		TerminationGracePeriodSeconds: &grace,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, RunAsUser: &nobody, RunAsGroup: &nobody,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Volumes: volumes,
		Containers: []corev1.Container{{
			Name:         jobContainer,
			Image:        d.Image,
			Args:         jobArguments,
			Env:          append(d.variables(), corev1.EnvVar{Name: "GOMEMLIMIT", Value: fmt.Sprintf("%dMiB", memoryLimit*7/8>>20)}),
			VolumeMounts: mounts,
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: quantity.MustParse("50m"), corev1.ResourceMemory: quantity.MustParse("64Mi")},
				// Generating an RSA key uses one core for a moment.
				Limits: corev1.ResourceList{corev1.ResourceCPU: quantity.MustParse("1"), corev1.ResourceMemory: *quantity.NewQuantity(memoryLimit, quantity.BinarySI)},
			},
			SecurityContext: everyRestriction(),
		}},
	}
}

// everyRestriction returns the settings of the pod security standard "restricted", with a read-only file system.
func everyRestriction() *corev1.SecurityContext {
	yes, no := true, false
	return &corev1.SecurityContext{
		ReadOnlyRootFilesystem: &yes, AllowPrivilegeEscalation: &no,
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}
