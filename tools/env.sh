# Enter the environment that `make setup` made, in bash:  . tools/env.sh
_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
_venv=${VENV:-$_root/.venv}
case $_venv in /*) ;; *) _venv=$_root/$_venv ;; esac

export VIRTUAL_ENV=$_venv
export PATH=$_venv/bin:$PATH
if [ -n "$("$_root/tools/ros_distribution.sh")" ]; then
  export AMENT_PREFIX_PATH=$_venv:$AMENT_PREFIX_PATH
  export CMAKE_PREFIX_PATH=$_venv:${CMAKE_PREFIX_PATH:-}
  export LD_LIBRARY_PATH=$_venv/lib:${LD_LIBRARY_PATH:-}
else
  # Python finds the libraries of the wheels by itself, unless another environment made of such
  # wheels has left these behind.
  unset LD_LIBRARY_PATH PYTHONPATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
  export AMENT_PREFIX_PATH=$_venv
  export CMAKE_PREFIX_PATH=$_venv
fi
for _prefix in ${AMENT_PREFIX_PATH//:/ }; do
  # Kilted's Fast DDS has renamed the variable, and warns about the old name.
  [ -d "$_prefix/share/fastrtps" ] && export FASTRTPS_DEFAULT_PROFILES_FILE=$_root/config/fastdds.xml
  [ -d "$_prefix/share/fastdds" ] && export FASTDDS_DEFAULT_PROFILES_FILE=$_root/config/fastdds.xml
done
unset _root _venv _prefix
