// The key that is entered under "Authorize" stays in this browser's storage for this origin only.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  persistAuthorization: true,
  validatorUrl: null,
});
