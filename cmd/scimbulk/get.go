package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"scimbulk/internal/scim"
)

// The kinds of document that get reads.
const (
	kindUser         = "user"
	kindGroup        = "group"
	kindResourceType = "resourcetype"
	kindSchema       = "schema"
	kindConfig       = "serviceproviderconfig"
)

// getOptions are the flags of get.
type getOptions struct {
	target targetOptions

	kind, name  string
	attributes  []string
	excluded    []string
	ifNoneMatch string
}

func newGet(s streams) *cobra.Command {
	o := &getOptions{}
	cmd := &cobra.Command{
		Use:   "get user|group|resourcetype|schema|serviceproviderconfig [ID|NAME]",
		Short: "Print one resource as the directory sends it",
		Long: `get prints one resource as JSON: members that scimbulk does not know, the order
of members and numbers of any size are as the directory sent them.

A user is named by id or userName, a group by id or displayName: what holds an @
or a space is a name, anything else is tried as an id first. A schema is named
by its URN, or by User, Group, enterprise or genesys. Without a name, all
resource types or all schemas are printed as one list.`,
		Example: `  scimbulk get user zoe.mueller@example.com --sandbox
  scimbulk get group Sales --attributes displayName,members --region us-east-1
  scimbulk get schema enterprise --url https://example.com/scim/v2`,
		ValidArgs: []string{kindUser, kindGroup, kindResourceType, kindSchema, kindConfig},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 2 {
				return usagef("%s takes a kind of resource and at most one name: scimbulk get KIND [ID|NAME]", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.kind = kindOf(args[0])
			if len(args) > 1 {
				o.name = args[1]
			}
			return o.execute(cmd.Context(), s, args)
		},
	}
	f := cmd.Flags()
	o.target.bindReader(f)
	f.Var(pathList{&o.attributes}, "attributes", "`paths` to ask for, comma-separated (default: all)")
	f.Var(pathList{&o.excluded}, "exclude-attributes", "`paths` to leave out, comma-separated")
	f.StringVar(&o.ifNoneMatch, "if-none-match", "", "print nothing if this `ETAG` is still the resource's version")
	return cmd
}

// kindOf reads a kind in any case, singular or plural, with or without hyphens;
// "" for a word that is none.
func kindOf(word string) string {
	key := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(word))
	for _, kind := range []string{kindUser, kindGroup, kindResourceType, kindSchema, kindConfig} {
		if key == kind || key == kind+"s" {
			return kind
		}
	}
	return ""
}

func (o *getOptions) validate(args []string) error {
	problems := o.target.validate()
	resource := o.kind == kindUser || o.kind == kindGroup
	switch {
	case o.kind == "":
		problems = append(problems, usagef("get %q: use one of user, group, resourcetype, schema, serviceproviderconfig", args[0]))
	case resource && o.name == "":
		problems = append(problems, usagef("get %s: name one, by id or by %s; to read them all, use scimbulk export", o.kind, keyOf(o.kind)))
	case o.kind == kindConfig && o.name != "":
		problems = append(problems, usagef("get %s: there is one only, so give no name", o.kind))
	}
	if !resource && len(o.attributes)+len(o.excluded) > 0 && o.kind != "" {
		problems = append(problems, usagef("--attributes and --exclude-attributes go with user and group"))
	}
	if len(o.attributes) > 0 && len(o.excluded) > 0 {
		problems = append(problems, usagef("--attributes and --exclude-attributes do not go together (RFC 7644 section 3.9)"))
	}
	if o.ifNoneMatch != "" && (o.kind == kindResourceType || o.kind == kindSchema) {
		problems = append(problems, usagef("--if-none-match goes with user, group and serviceproviderconfig"))
	}
	return errors.Join(problems...)
}

// keyOf is the attribute by which people name a resource.
func keyOf(kind string) string {
	if kind == kindGroup {
		return "displayName"
	}
	return "userName"
}

func (o *getOptions) execute(ctx context.Context, s streams, args []string) error {
	if err := o.target.fillIn(); err != nil {
		return err
	}
	if err := o.validate(args); err != nil {
		return err
	}
	dir, err := o.target.open()
	if err != nil {
		return err
	}
	defer dir.close()
	doc, err := o.read(ctx, dir)
	if err != nil {
		return err
	}
	if doc == nil {
		_, err := fmt.Fprintf(s.err, "not modified: %s is still the version\n", o.ifNoneMatch)
		return err
	}
	if err := doc.Indent(jsontext.WithIndent("  ")); err != nil {
		return fmt.Errorf("the directory's answer cannot be shown: %w", err)
	}
	_, err = fmt.Fprintf(s.out, "%s\n", doc)
	return err
}

// read gets what was asked for; nil means that it has not changed.
func (o *getOptions) read(ctx context.Context, dir *directory) (jsontext.Value, error) {
	c := dir.client
	switch o.kind {
	case kindResourceType:
		if o.name == "" {
			return list(c.ResourceTypes(ctx))
		}
		doc, err := c.ResourceType(ctx, resourceTypeName(o.name))
		return doc, o.explain(err)
	case kindSchema:
		if o.name == "" {
			return list(c.Schemas(ctx))
		}
		doc, err := c.Schema(ctx, schemaURN(o.name))
		return doc, o.explain(err)
	case kindConfig:
		resp, err := c.ServiceProviderConfig(ctx, o.ifNoneMatch)
		return documentOf(resp), err
	}
	resp, err := o.resource(ctx, dir)
	return documentOf(resp), err
}

// list makes one document of several.
func list(docs []jsontext.Value, err error) (jsontext.Value, error) {
	if err != nil {
		return nil, err
	}
	all := jsontext.Value("[")
	for i, doc := range docs {
		if i > 0 {
			all = append(all, ',')
		}
		all = append(all, doc...)
	}
	return append(all, ']'), nil
}

func documentOf(resp *scim.Response) jsontext.Value {
	if resp == nil || resp.NotModified {
		return nil
	}
	return resp.Resource.Raw
}

// resourceTypeName spells the two names that everybody has as the RFC does: ids
// are case-sensitive (RFC 7643 §3.1).
func resourceTypeName(name string) string {
	switch kindOf(name) {
	case kindUser:
		return "User"
	case kindGroup:
		return "Group"
	}
	return name
}

func schemaURN(name string) string {
	switch strings.ToLower(name) {
	case "user":
		return scim.UserURN
	case "group":
		return scim.GroupURN
	case "enterprise":
		return scim.EnterpriseURN
	case "genesys":
		return scim.GenesysURN
	}
	return name
}

// missingError says that the directory has no such resource.
type missingError struct{ what string }

func (e *missingError) Error() string { return "the directory has no " + e.what }

// explain makes a plain sentence of a 404 for a document that was named.
func (o *getOptions) explain(err error) error {
	if notFound(err) {
		return &missingError{fmt.Sprintf("%s %q; scimbulk get %ss lists those it has", o.kind, o.name, o.kind)}
	}
	return err
}

func notFound(err error) bool {
	var failed *scim.Error
	return errors.As(err, &failed) && (failed.Status == http.StatusNotFound || failed.Status == http.StatusGone)
}

// resource reads a user or a group by id or by name. The name is turned into an
// id first, so that the conditions and attributes of the reading are the same.
func (o *getOptions) resource(ctx context.Context, dir *directory) (*scim.Response, error) {
	f := &finder{dir: dir, endpoint: scim.Users, key: keyOf(o.kind)}
	if o.kind == kindGroup {
		f.endpoint = scim.Groups
	}
	q := scim.ReadOptions{
		Attributes: wholeLists(o.attributes), ExcludedAttributes: fullPaths(o.excluded), IfNoneMatch: o.ifNoneMatch,
	}
	tried := f.key
	if !strings.ContainsAny(o.name, "@ ") {
		resp, err := dir.client.Get(ctx, f.endpoint, o.name, q)
		if !refusedID(err) {
			return resp, err
		}
		tried = "id or " + f.key
	}
	id, err := f.find(ctx, o.name)
	if err != nil {
		return nil, err
	}
	if id == "" {
		return nil, &missingError{fmt.Sprintf("%s with the %s %q", o.kind, tried, o.name)}
	}
	return dir.client.Get(ctx, f.endpoint, id, q)
}

// refusedID tells an id that the directory does not have, or could not have:
// some answer 400 to what is no UUID.
func refusedID(err error) bool {
	var failed *scim.Error
	return notFound(err) || errors.As(err, &failed) && failed.Status == http.StatusBadRequest
}
