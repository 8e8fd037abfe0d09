# What the checks need beyond cargo, git and Node; sourced by scripts/test. Each function returns non-zero, after
# saying what to install by hand, when it cannot get what it is named after.

# Pinned: a new release must not change what passes.
typescript=7.0.2
axe=4.14.1
ws=8.23.0
websockets=17.4

# Packages from npm live under target/, so that nothing of theirs can be committed.
npm_folder=$PWD/target/npm
export PATH=$npm_folder/node_modules/.bin:$PATH
export ROOMFUL_AXE=$npm_folder/node_modules/axe-core/axe.min.js
export ROOMFUL_WS=$npm_folder/node_modules/ws/wrapper.mjs
# And so does Python with its packages.
python_folder=$PWD/target/python
export ROOMFUL_PYTHON=$python_folder/bin/python

need_browser() {
  if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then return 0; fi
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's chromium and chromium-driver: the browser tests need them."
    apt-get update -qq &&
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null &&
      return 0
  fi
  echo "The browser tests need chromium and chromedriver on the PATH (Debian: apt-get install chromium chromium-driver)."
  return 1
}

need_postgres() {
  if command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then return 0; fi
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's postgresql: tests start servers of their own with it. Debian's own server is not made."
    local settings=/etc/postgresql-common/createcluster.d status=0
    mkdir -p "$settings" && echo "create_main_cluster = false" >"$settings/roomful-tests.conf"
    apt-get update -qq &&
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null || status=$?
    # Whoever installs another version later gets the server that Debian makes.
    rm -f "$settings/roomful-tests.conf"
    [ "$status" -eq 0 ] && return 0
  fi
  echo "The tests need PostgreSQL's server, with initdb on the PATH or where Debian has it (Debian: apt-get install postgresql)."
  return 1
}

need_npm_packages() {
  if npm_has typescript "$typescript" && npm_has axe-core "$axe" && npm_has ws "$ws"; then return 0; fi
  command -v npm >/dev/null || { echo "The web checks need npm (Debian: apt-get install npm)."; return 1; }
  echo "Installing typescript $typescript, axe-core $axe and ws $ws from npm into target/npm."
  mkdir -p "$npm_folder"
  npm install --prefix "$npm_folder" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error \
    "typescript@$typescript" "axe-core@$axe" "ws@$ws"
}

need_python_packages() {
  if "$ROOMFUL_PYTHON" -c "import websockets.version as v; assert v.version == '$websockets'" 2>/dev/null; then
    return 0
  fi
  echo "Installing websockets $websockets from PyPI into target/python."
  rm -rf "$python_folder"
  if ! python3 -m venv "$python_folder"; then
    echo "The tests of foreign clients need Python 3 with venv (Debian: apt-get install python3-venv)."
    return 1
  fi
  "$python_folder/bin/pip" install --quiet --disable-pip-version-check "websockets==$websockets"
}

npm_has() {
  grep -qs "\"version\": \"$2\"" "$npm_folder/node_modules/$1/package.json"
}

need_valgrind() {
  if command -v valgrind >/dev/null; then return 0; fi
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's valgrind: it counts instructions."
    apt-get update -qq &&
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends valgrind >/dev/null && return 0
  fi
  echo "Counting instructions needs valgrind on the PATH (Debian: apt-get install valgrind)."
  return 1
}
