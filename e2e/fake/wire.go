package fake

import (
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// codecScheme knows all of client-go's types, and PartialObjectMetadata, which it keeps apart.
var codecScheme = runtime.NewScheme()

func init() {
	utilruntime.Must(scheme.AddToScheme(codecScheme))
	utilruntime.Must(metav1.AddMetaToScheme(codecScheme))
}

var codecs = serializer.NewCodecFactory(codecScheme)

// format is what a client wants to be answered in.
type format struct {
	runtime.SerializerInfo
	metadataOnly bool // as=PartialObjectMetadata or as=PartialObjectMetadataList
}

// accepted takes the first of an Accept header that is served: protobuf or JSON, which is also for who doesn't say.
func accepted(r *http.Request) format {
	for offer := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		mediaType, params, err := mime.ParseMediaType(offer)
		if err != nil || mediaType != runtime.ContentTypeProtobuf && mediaType != runtime.ContentTypeJSON {
			continue
		}
		info, _ := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), mediaType)
		return format{info, strings.HasPrefix(params["as"], "PartialObjectMetadata")}
	}
	info, _ := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), runtime.ContentTypeJSON)
	return format{SerializerInfo: info}
}

// decode reads an object from a request's body, in protobuf or JSON as Content-Type says.
func decode[T runtime.Object](r *http.Request, body []byte) (T, error) {
	var none T
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	info, known := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), mediaType)
	if err != nil || !known {
		return none, apierrors.NewGenericServerResponse(http.StatusUnsupportedMediaType, r.Method, kinds[0].groupResource(), "", mediaType, 0, true)
	}
	obj, _, err := codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		return none, apierrors.NewBadRequest(fmt.Sprintf("decoding the body as %s: %v", info.MediaType, err))
	}
	t, ok := obj.(T)
	if !ok {
		return none, apierrors.NewBadRequest(fmt.Sprintf("a %T is not expected here", obj))
	}
	return t, nil
}

// reply sends an object. Its kind is filled in.
func reply(w http.ResponseWriter, f format, status int, obj runtime.Object) {
	body, err := runtime.Encode(f.Serializer, obj)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", f.MediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// fail sends an error as the Status that the API server makes of it.
func fail(w http.ResponseWriter, f format, err error) {
	var status metav1.Status
	if known, ok := err.(apierrors.APIStatus); ok {
		status = known.Status()
	} else {
		status = apierrors.NewInternalError(err).Status()
	}
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	if d := status.Details; d != nil && d.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(d.RetryAfterSeconds)))
	}
	reply(w, f, int(status.Code), &status)
}
