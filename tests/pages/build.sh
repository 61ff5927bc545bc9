#!/bin/sh
# Bundles an example of docs/examples that comes on the input; $1 is its loader, jsx or js. Addresses are left alone.
cd "$(dirname "$0")" || exit 1
exec node_modules/.bin/esbuild --loader="$1" --bundle --format=esm --jsx=automatic --minify --log-level=warning \
  --external:http://* --external:https://* --alias:vue=vue/dist/vue.esm-bundler.js \
  --define:process.env.NODE_ENV='"production"' --define:__VUE_OPTIONS_API__=true \
  --define:__VUE_PROD_DEVTOOLS__=false --define:__VUE_PROD_HYDRATION_MISMATCH_DETAILS__=false
