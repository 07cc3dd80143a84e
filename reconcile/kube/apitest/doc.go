// Package apitest is an API server for tests, with certificates for its users. No program imports it.
//
// Begin at New. A test sets the answers of the Server that it returns, calls Begin, and connects with RESTConfig. Called
// returns the requests that came. InProcess serves requests without a network, for tests on synctest's clock.
package apitest
