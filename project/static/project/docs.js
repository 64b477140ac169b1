// Starts the page to try the API. It is a file because the page's policy allows no
// inline script. The schema isn't sent to a validator elsewhere.
"use strict";
SwaggerUIBundle({
  url: document.getElementById("swagger-ui").dataset.schema,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
