# Sourced by the scripts of this folder. `install_torch FOLDER` puts PyTorch and torchvision there, `torch_python` runs them.
#
# PyTorch comes from Debian's packages, unpacked and not installed, where apt-get is there, since PyPI has it for x86-64 with
# CUDA only, which is ten times as large; elsewhere from PyPI.

install_torch() {
    torch_folder=$1
    [ ! -e "$torch_folder/torch-done" ] || return 0
    if command -v apt-get > /dev/null; then
        rm -rf "$torch_folder/debs" "$torch_folder/debian"
        mkdir -p "$torch_folder/debs" "$torch_folder/debian"
        wanted=$(apt-get -s install --no-install-recommends python3-torch python3-torchvision | awk '/^Inst/{print $2}')
        (cd "$torch_folder/debs" && apt-get download $wanted > /dev/null)
        for package in "$torch_folder"/debs/*.deb; do dpkg -x "$package" "$torch_folder/debian"; done
        rm -rf "$torch_folder/debs"
    else
        python3 -m venv "$torch_folder/torch-python"
        "$torch_folder/torch-python/bin/python" -m pip install --quiet torch==2.9.1 torchvision==0.24.1 pillow
    fi
    touch "$torch_folder/torch-done"
}

torch_python() {
    local debian=$torch_folder/debian
    if [ -d "$debian" ]; then
        PYTHONPATH=$debian/usr/lib/python3/dist-packages:$torch_folder/torch \
            LD_LIBRARY_PATH=$debian/usr/lib:$(ls -d "$debian"/usr/lib/*-linux-gnu):$(ls -d "$debian"/lib/*-linux-gnu):$(ls -d "$debian"/usr/lib/*-linux-gnu/blas):$(ls -d "$debian"/usr/lib/*-linux-gnu/lapack) \
            /usr/bin/python3 "$@"
    else
        PYTHONPATH=$torch_folder/torch "$torch_folder/torch-python/bin/python" "$@"
    fi
}
