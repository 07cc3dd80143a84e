// Package okta stands in for Okta's client, with which Vault asks for a second factor: no test has one.
package okta

import (
	"context"
	"errors"
)

var errStub = errors.New("the tests' Vault asks nobody for a second factor")

// Configuration is empty.
type Configuration struct{ Context context.Context }

// ConfigSetter changes nothing.
type ConfigSetter func(*Configuration)

// NewConfiguration returns an error.
func NewConfiguration(...ConfigSetter) (*Configuration, error) { return nil, errStub }

// WithToken returns a ConfigSetter.
func WithToken(string) ConfigSetter { return nil }

// WithOrgUrl returns a ConfigSetter.
func WithOrgUrl(string) ConfigSetter { return nil }

// WithCache returns a ConfigSetter.
func WithCache(bool) ConfigSetter { return nil }

// APIClient is what NewAPIClient would return.
type APIClient struct {
	UserAPI       users
	UserFactorAPI factors
}

// NewAPIClient is never called, since NewConfiguration fails.
func NewAPIClient(*Configuration) *APIClient { return &APIClient{} }

// GetConfig returns an empty Configuration.
func (c *APIClient) GetConfig() *Configuration { return &Configuration{Context: context.Background()} }

// request is one for a T.
type request[T any] struct{}

func (r request[T]) Filter(string) request[T] { return r }

func (r request[T]) Execute() (answer T, response any, err error) { return answer, nil, errStub }

type users struct{}

func (users) ListUsers(context.Context) (r request[[]User]) { return r }

type factors struct{}

func (factors) ListFactors(context.Context, string) (r request[[]UserFactor]) { return r }

func (factors) VerifyFactor(context.Context, string, string) (r request[Verification]) { return r }

func (factors) GetFactorTransactionStatus(context.Context, string, string, string) (r request[Transaction]) {
	return r
}

// User is somebody with factors.
type User struct{}

// GetId returns nothing.
func (User) GetId() string { return "" }

// UserFactor is a factor of one kind.
type UserFactor struct{ UserFactorPush *UserFactorPush }

// UserFactorPush is a factor.
type UserFactorPush struct{ User }

// Verification is an attempt.
type Verification struct{ Links map[string]any }

// GetFactorResult returns nothing.
func (Verification) GetFactorResult() string { return "" }

// Transaction is the state of an attempt: the one that is not nil.
type Transaction struct {
	UserFactorPushTransactionWaiting, UserFactorPushTransaction         *struct{}
	UserFactorPushTransactionRejected, UserFactorPushTransactionTimeout *struct{}
}
